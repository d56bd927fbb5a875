"""Checks for the common mistakes of a training, each a small function that takes tensors, networks and losses."""
