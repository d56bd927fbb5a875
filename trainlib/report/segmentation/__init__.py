"""What the report of a segmentation shows: scores of structures, their distribution, overlays."""
