"""Are the images normalised, and alike in training and validation?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from trainlib.debug.finding import Finding
from trainlib.debug.statistics import Statistics
from trainlib.words import first_few

_FAR = 10.0  # a normalised image has mean and standard deviation of the order of one
_FLAT = 0.01
_SHIFT, _SCALE = 5.0, 10.0


def check_intensities(images: Mapping[str, Statistics]) -> Finding:
    """Tell whether images have the order of magnitude that networks are made for.

    Args:
        images: Statistics of each channel of each case after the base transforms, by a name for it.
    """
    broken = [name for name, found in images.items() if not math.isfinite(found.mean)]
    constant = [name for name, found in images.items() if found.min == found.max]
    odd = [name for name, found in images.items() if _is_odd(found)]
    if broken or constant:
        what = "values that are nan or infinite" if broken else "one single value everywhere"
        return Finding(
            "intensities",
            "problem",
            f"{len(broken or constant)} of {len(images)} images hold {what} after transforms.base: "
            f"{first_few(broken or constant)}. Nothing can be learned from them, and one nan spoils all weights. Look "
            "at the files, and at what transforms.base does to them.",
        )
    if odd:
        first = images[odd[0]]
        return Finding(
            "intensities",
            "warning",
            f"{len(odd)} of {len(images)} images are not normalised after transforms.base, as {odd[0]} with mean "
            f"{first.mean:.4g} and standard deviation {first.std:.4g}. Networks learn slowly or not at all unless both "
            "are of the order of one. Add NormalizeIntensityd, or for CT ScaleIntensityRanged, to transforms.base.",
        )
    return Finding("intensities", "ok", f"All {len(images)} images have intensities of the order of one.")


def _is_odd(found: Statistics) -> bool:
    return abs(found.mean) > _FAR or found.std > _FAR or found.std < _FLAT


def check_same_scale(base: Sequence[Statistics], train: Sequence[Statistics], channels: Sequence[str]) -> Finding:
    """Compare the intensities that the network is trained on with those that it will be validated on.

    Args:
        base: Statistics of each channel of whole cases after the base transforms, which is what validation sees.
        train: The same after the augmentation.
        channels: Names of the channels.
    """
    apart = [name for name, one, other in zip(channels, base, train, strict=True) if _differ(one, other)]
    if apart:
        one, other = base[channels.index(apart[0])], train[channels.index(apart[0])]
        return Finding(
            "same scale",
            "problem",
            f"Augmented images ({apart[0]}: mean {other.mean:.4g}, standard deviation {other.std:.4g}) differ from "
            f"what validation and test see (mean {one.mean:.4g}, standard deviation {one.std:.4g}). A network scores "
            "badly on intensities that it was not trained on. Move normalisation from transforms.train to "
            "transforms.base, or make the intensity augmentation weaker.",
        )
    return Finding("same scale", "ok", "Augmentation leaves intensities on the scale that validation sees.")


def _differ(base: Statistics, train: Statistics) -> bool:
    """Tell whether two intensity scales have little in common; augmentation may well move them a little."""
    small, large = sorted((base.std, train.std))
    return abs(base.mean - train.mean) > _SHIFT * large or large > _SCALE * max(small, 1e-12)
