"""Transforms of MONAI that take less time here for the same random draws and, bit for bit, the same results."""
