"""Asks a teacher, over the network, what `compressor.train.distill` wants to know."""
