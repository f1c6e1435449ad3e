"""Experiments while they run: what is on record of them, who looks at it, and how it is told."""
