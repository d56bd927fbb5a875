"""Run a finished run again from its own snapshot, and compare what comes out."""
