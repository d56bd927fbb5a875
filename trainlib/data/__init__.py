"""From CSV files to batches: splits, base transforms and their cache, sampling, and the way back to the files."""
