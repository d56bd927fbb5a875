"""What no pipeline may do: damage a label map, be random where it is cached, or guess a geometry."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from typing import Any

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
# The same of lists of keys.
_LOOKED_AT_LISTS = ("label_keys",)
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


def value_mistakes(resolved: Resolved) -> Iterator[tuple[Key, str]]:
    """Name values that MONAI takes without a word: a probability beyond 1, a key that no case has."""
    if resolved.found.origin != "monai.transforms":
        return
    prob = resolved.kwargs.get("prob")
    if isinstance(prob, int | float) and not 0 <= prob <= 1:
        key = (*resolved.key, "prob")
        yield key, f"{dotted(key)}: expected a number from 0 to 1, found {prob}."
    for keyword in resolved.written.intersection(_LOOKED_AT):
        value = resolved.kwargs[keyword]
        if value is not None and value not in (IMAGE, LABEL):
            key = (*resolved.key, keyword)
            yield key, f"{dotted(key)}: expected {IMAGE} or {LABEL}, found {value!r}."


def label_map_mistakes(resolved: Resolved, written: Collection[str], task: str) -> Iterator[tuple[Key, str]]:
    """Name what a transform would do with a label map, in a task whose cases have none.

    Args:
        resolved: The transform.
        written: The keywords that stand in the config.
        task: The task.
    """
    name, kwargs = resolved.found.name, resolved.kwargs
    keys = kwargs.get("keys", [])
    looked_at = [keyword for keyword in _LOOKED_AT if kwargs.get(keyword) == LABEL]
    looked_at += [keyword for keyword in _LOOKED_AT_LISTS if LABEL in as_list(kwargs.get(keyword))]
    if looked_at:
        keyword = looked_at[0]
        remedy = "use RandSpatialCropd" if name.startswith("RandCropBy") else f"take {name} out"
        if keyword in ("source_key", "mask_key", "key_dst"):
            remedy = "use `image`"
    elif LABEL in keys:
        keyword = "keys"
        remedy = f"take {name} out" if keys == [LABEL] else f"leave `{LABEL}` out"
    else:
        return
    where = (*resolved.key, keyword) if keyword in written else resolved.key
    yield where, f"{dotted(where)}: {task} has no label map; {remedy}."


def key_mistakes(
    resolved: Resolved, section: str, keys: list[str], *, label_maps: bool = True
) -> Iterator[tuple[Key, str]]:
    """Name the keys that no case has, and those of labels that the transform would damage.

    Args:
        resolved: The transform.
        section: The pipeline it stands in.
        keys: Its keys.
        label_maps: Whether the cases have label maps.
    """
    here, name = resolved.key, resolved.found.name
    where = (*here, "keys")
    allowed = [PREDICTION] if section == "post" else [IMAGE, LABEL] if label_maps else [IMAGE]
    if not keys:
        yield where, f"{dotted(where)}: expected {' or '.join(allowed)}, found nothing. Take {name} out, or name one."
    for key in keys:
        if key not in allowed:
            yield where, f"{dotted(where)}: expected {' or '.join(allowed)}, found {key!r}."
    alone = LABEL in allowed and len(keys) == 1 and keys[0] in allowed
    if alone and moves_voxels(resolved.found.target):
        other = LABEL if keys == [IMAGE] else IMAGE
        text = f"{name} would move the voxels of the {keys[0]} alone, and {other} and {keys[0]} would part."
        yield where, f"{dotted(where)}: {text} Leave `keys` out, or name both."
    for key in LABEL_MAPS:
        if key in keys and key in allowed:
            if changes_intensity(resolved.found.target):
                remedy = f"Take {name} out" if section == "post" else f"Leave `{key}` out"
                yield where, f"{dotted(where)}: {name} would change the values of the label map. {remedy}."
            yield from _mode_mistakes(resolved, keys, key)


def as_list(value: Any) -> list[Any]:
    """Return the keys that a config writes as one or several."""
    return list(value) if isinstance(value, list | tuple) else [value]


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
