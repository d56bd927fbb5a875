"""Segmentation and classification metrics: arrays in, numbers out.

How absent structures count, in every module of this part:

- Label and prediction both empty: nan, left out of every mean, counted as "absent".
- Exactly one of them empty: Dice and NSD are 0 and the distances are the diagonal of the image in mm, so that
  a missed or an invented structure makes every figure worse instead of vanishing from the mean. Counted as
  "missed" (label only) or "false_positive" (prediction only).
"""
