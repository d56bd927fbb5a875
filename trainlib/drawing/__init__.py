"""Pictures of cases and of curves: arrays in, PIL images out."""
