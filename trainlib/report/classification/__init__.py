"""What the report of a classification shows: figures of classes, confusion, curves, calibration, mistakes."""
