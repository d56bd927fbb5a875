"""The names of the scores of a classification."""

from __future__ import annotations

METRICS = ("auroc", "average_precision", "accuracy", "balanced_accuracy", "f1")
"""Each is computed over all classes and for every class."""
