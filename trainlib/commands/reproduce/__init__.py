"""Run a finished run again from its own snapshot, and compare what comes out."""

REPETITION = "TRAINLIB_REPETITION"
"""Environment variable that is set for the process of a repetition, whose parent says how to go on."""
