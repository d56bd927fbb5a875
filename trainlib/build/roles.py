"""Which of image and label a transform may touch, and how it must treat each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from trainlib.build.keywords import Keywords

IMAGE, LABEL, PREDICTION = "image", "label", "pred"
"""The keys of a case that transforms may touch."""
TARGET = "target"
"""The key of a case's class, which none may."""
LABEL_MAPS = (LABEL, PREDICTION)
"""The keys whose values are classes."""

_BOTH = (IMAGE, LABEL)
# Transforms outside the modules below, and the exceptions inside them.
_KEYS_BY_NAME: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(
        ("LoadImaged", "EnsureChannelFirstd", "AsChannelLastd", "EnsureTyped", "ToTensord", "SqueezeDimd",
         "Transposed", "Identityd", "DataStatsd", "SimulateDelayd", "RandSmoothDeformd"),
        _BOTH,
    ),
    **dict.fromkeys(
        ("RandSimulateLowResolutiond", "RandSmoothFieldAdjustContrastd", "RandSmoothFieldAdjustIntensityd",
         "IntensityStatsd", "RepeatChanneld", "RemoveRepeatedChanneld", "AddCoordinateChannelsd", "SignalFillEmptyd",
         "ImageFilterd", "RandImageFilterd"),
        (IMAGE,),
    ),
    **dict.fromkeys(
        ("LabelToMaskd", "MapLabelValued", "FgBgToIndicesd", "ClassesToIndicesd", "ComputeHoVerMapsd"), (LABEL,)
    ),
    # Points and boxes are neither image nor label.
    **dict.fromkeys(("ConvertBoxToPointsd", "ConvertPointsToBoxesd"), None),
}  # fmt: skip
_KEYS_BY_MODULE = {
    "monai.transforms.spatial.dictionary": _BOTH,
    "monai.transforms.croppad.dictionary": _BOTH,
    "monai.transforms.intensity.dictionary": (IMAGE,),
}
# Transforms for image and label that leave every voxel where it is.
_STILL = frozenset(
    {"LoadImaged", "EnsureChannelFirstd", "AsChannelLastd", "EnsureTyped", "ToTensord", "SqueezeDimd", "Identityd",
     "DataStatsd", "SimulateDelayd"}
)  # fmt: skip


def keys_for(target: Callable[..., Any], section: str) -> tuple[str, ...] | None:
    """Tell the keys that a transform is applied to when the config does not say.

    Args:
        target: The transform's class.
        section: The pipeline it stands in; in ``post`` there is only the prediction.

    Returns:
        The keys; None for a transform whose nature is not known, for which the config has to say.
    """
    if section == "post":
        return (PREDICTION,)
    by_module = _KEYS_BY_MODULE.get(target.__module__)
    return _KEYS_BY_NAME.get(target.__name__, by_module) if target.__module__.startswith("monai.") else None


def changes_intensity(target: Callable[..., Any]) -> bool:
    """Tell whether a transform changes voxel values, which would destroy a label map."""
    return keys_for(target, "base") == (IMAGE,)


def moves_voxels(target: Callable[..., Any]) -> bool:
    """Tell whether a transform is known to move voxels, which image and label must share."""
    return keys_for(target, "base") == _BOTH and target.__name__ not in _STILL


def interpolation_keyword(target: Callable[..., Any], keywords: Keywords) -> str | None:
    """Name the keyword of a transform that chooses an interpolation; None where it has none.

    The keyword `mode` of a pad is a kind of padding, and that of boxes a convention for their corners.
    """
    if not target.__module__.startswith("monai.transforms.") or keys_for(target, "base") is None:
        return None
    name = {"spatial": "mode", "smooth_field": "grid_mode"}.get(target.__module__.split(".")[2])
    return name if name in keywords.parameters else None


def modes_for(keys: list[str], mode: Any, default: Any) -> list[Any]:
    """Give one interpolation for each key: that of the config, or the default, for images; nearest for labels.

    Args:
        keys: The keys the transform is applied to.
        mode: What the config says: None, one mode or one for each key.
        default: The transform's own default; `inspect.Parameter.empty` where it has none.
    """
    if isinstance(mode, list | tuple):
        return list(mode)
    if mode is None:
        mode = "bilinear" if default is inspect.Parameter.empty else getattr(default, "value", default)
    return ["nearest" if key in LABEL_MAPS else mode for key in keys]
