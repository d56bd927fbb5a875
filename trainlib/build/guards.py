"""What no pipeline may do: damage a label map, be random where it is cached, or guess a geometry."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from trainlib.build.resolve import Resolved
from trainlib.build.roles import (
    IMAGE,
    LABEL,
    LABEL_MAPS,
    PREDICTION,
    changes_intensity,
    interpolation_keyword,
    moves_voxels,
)
from trainlib.config.sources import Key, dotted

# Keywords that name a key a transform looks at, without changing it.
_LOOKED_AT = ("source_key", "label_key", "mask_key", "key_dst", "w_key")
# Transforms that need the affine, which training crops no longer have.
_NEED_AFFINE = ("Orientationd", "Spacingd", "SpatialResampled", "ResampleToMatchd")


def place_mistakes(resolved: Resolved, section: str) -> Iterator[tuple[Key, str]]:
    """Name what a transform needs or does that its pipeline cannot allow."""
    from monai.transforms import Randomizable

    here, name, target = resolved.key, resolved.found.name, resolved.found.target
    if section == "train" and getattr(target, "__name__", "") in _NEED_AFFINE:
        text = f"{name} needs the geometry of the file, which augmentation does without. Move it to transforms.base."
        yield here, f"{dotted(here)}: {text}"
    if section != "base":
        return
    if inspect.isclass(target) and issubclass(target, Randomizable):
        text = f"{name} is random, and transforms.base is applied once and kept. Move it to transforms.train."
        yield here, f"{dotted(here)}: {text}"
    for keyword in _LOOKED_AT:
        if resolved.kwargs.get(keyword) == LABEL:
            text = f"{name} would look at the label, which cases to predict do not have. Use `image`."
            yield (*here, keyword), f"{dotted((*here, keyword))}: {text}"


def key_mistakes(resolved: Resolved, section: str, keys: list[str]) -> Iterator[tuple[Key, str]]:
    """Name the keys that no case has, and those of labels that the transform would damage."""
    here, name = resolved.key, resolved.found.name
    where = (*here, "keys")
    allowed = [PREDICTION] if section == "post" else [IMAGE, LABEL]
    if not keys:
        yield where, f"{dotted(where)}: expected {' or '.join(allowed)}, found nothing. Take {name} out, or name one."
    for key in keys:
        if key not in allowed:
            yield where, f"{dotted(where)}: expected {' or '.join(allowed)}, found {key!r}."
    if section != "post" and len(keys) == 1 and keys[0] in allowed and moves_voxels(resolved.found.target):
        other = LABEL if keys == [IMAGE] else IMAGE
        text = f"{name} would move the voxels of the {keys[0]} alone, and {other} and {keys[0]} would part."
        yield where, f"{dotted(where)}: {text} Leave `keys` out, or name both."
    for key in LABEL_MAPS:
        if key in keys and key in allowed:
            if changes_intensity(resolved.found.target):
                remedy = f"Take {name} out" if section == "post" else f"Leave `{key}` out"
                yield where, f"{dotted(where)}: {name} would change the values of the label map. {remedy}."
            yield from _mode_mistakes(resolved, keys, key)


def _mode_mistakes(resolved: Resolved, keys: list[str], label: str) -> Iterator[tuple[Key, str]]:
    """Refuse an interpolation that would invent classes between those of a label map."""
    keyword = interpolation_keyword(resolved.found.target, resolved.keywords)
    if keyword is None:
        return
    where, modes = (*resolved.key, keyword), resolved.kwargs[keyword]
    if len(modes) != len(keys):
        yield where, f"{dotted(where)}: expected one for each of {', '.join(keys)}, found {modes}."
    elif (mode := modes[keys.index(label)]) not in ("nearest", "nearest-exact", 0):
        text = f"{mode!r} would interpolate between the classes of the label map. Use nearest for `{label}`."
        yield where, f"{dotted(where)}: {text}"
