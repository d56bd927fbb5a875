"""Weights by name, whichever tool wrote them: read from files, and fitted into networks."""
