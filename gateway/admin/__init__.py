"""The admin listener: a port of its own for those who run Pith, beside the one that serves requests."""
