"""Which transforms of MONAI are carried out in a leaner way, and when."""

from __future__ import annotations

from copy import copy
from importlib.metadata import version
from typing import Any

from monai.transforms import Compose, RandAffined

from trainlib.data.lean.affine import LeanAffine

VERSIONS = ("1.5.0", "1.5.1", "1.5.2", "1.6.0", "1.6.1")
"""Those of MONAI whose results were compared."""
_LEAN = {RandAffined: LeanAffine}


def lean(augment: Compose) -> Compose:
    """Return a training pipeline with leaner transforms in place of those that are known to the letter.

    Each draws its random numbers by the transform that it stands for, which it also calls for data that it does not
    know, so that all must be seeded before. A class derived from MONAI's, one whose call is patched, one inside of
    another transform and one of another version of MONAI stay as they are.

    Args:
        augment: The pipeline.
    """
    leaner = copy(augment)
    if version("monai") in VERSIONS:
        leaner.transforms = tuple(map(_lean, augment.transforms))
    return leaner


def _lean(step: Any) -> Any:
    leaner = _LEAN.get(type(step))
    if leaner is None or not type(step).__call__.__module__.startswith("monai."):
        return step
    return leaner(step) if leaner.suits(step) else step
