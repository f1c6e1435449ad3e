"""Real clients through Pith, each in an environment of its own: `make clients`."""
