"""Build the transform pipelines; no transform touches a label by accident."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trainlib.build.resolve import Resolved, collect, resolve
from trainlib.build.roles import (
    IMAGE,
    LABEL,
    LABEL_MAPS,
    PREDICTION,
    changes_intensity,
    interpolation_keyword,
    keys_for,
    modes_for,
)
from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted

if TYPE_CHECKING:
    from monai.transforms import Compose

# Keywords that may hold one value for each key.
_PER_KEY = ("mode", "grid_mode", "padding_mode", "align_corners", "dtype")
# Keywords that name a key a transform looks at, without changing it.
_LOOKED_AT = ("source_key", "label_key", "mask_key", "key_dst", "w_key")
SECTIONS = ("base", "train", "post")
"""The pipelines of a config."""


def build_pipeline(config: Config, section: str, *, with_label: bool = True) -> Compose:
    """Build one pipeline of `config`.

    Args:
        config: The config.
        section: ``base``, ``train`` or ``post``.
        with_label: Whether the cases have labels; without, transforms are applied to the image alone.

    Raises:
        InputError: A transform is not known, or its keywords are wrong.
    """
    from monai.transforms import Compose

    transforms = []
    for i, component in enumerate(getattr(config.transforms, section)):
        resolved = resolve_transform(config, section, i, component)
        if with_label or _drop_label(resolved):
            transforms.append(resolved.construct())
    return Compose(transforms)


def resolve_transform(config: Config, section: str, index: int, component: Component) -> Resolved:
    """Complete the keywords of a transform: keys, interpolation of each key, probability, number of classes.

    Raises:
        ComponentError: There is no such transform, or it would damage a label map.
    """
    key: Key = ("transforms", section, index)
    known = {
        "prob": config.transforms.prob,
        "label_key": LABEL,
        "source_key": IMAGE,
        "num_classes": config.out_channels,
    }
    resolved = resolve("transform", key, component, config, known)
    target, keywords, kwargs = resolved.found.target, resolved.keywords, resolved.kwargs
    if "keys" in keywords.missing(kwargs):
        _fill_keys(resolved, keys_for(target, section))
    if "keys" in kwargs:
        keys = list(kwargs["keys"]) if isinstance(kwargs["keys"], list | tuple) else [kwargs["keys"]]
        kwargs["keys"] = keys
        if mode := interpolation_keyword(target, keywords):
            # `grid_mode` defaults to nearest for the sake of labels, which get it anyway.
            default = "bilinear" if mode == "grid_mode" else keywords.default(mode)
            kwargs[mode] = modes_for(keys, kwargs.get(mode), default)
        resolved.mistakes += _key_mistakes(resolved, section, keys)
    return resolved


def _fill_keys(resolved: Resolved, keys: tuple[str, ...] | None) -> None:
    """Set `keys`, or say that the config has to."""
    here = resolved.key
    resolved.mistakes = [(key, text) for key, text in resolved.mistakes if not text.endswith("the keyword keys.")]
    if keys is None:
        text = f"{dotted(here)}: say what it is applied to, `keys: [image]` or `keys: [image, label]`."
        resolved.mistakes.append((here, text))
    else:
        resolved.kwargs["keys"] = list(keys)


def _key_mistakes(resolved: Resolved, section: str, keys: list[str]) -> Iterator[tuple[Key, str]]:
    """Name the keys that no case has, and those of labels that the transform would damage."""
    here, name = resolved.key, resolved.found.name
    where = (*here, "keys")
    allowed = [PREDICTION] if section == "post" else [IMAGE, LABEL]
    if not keys:
        yield where, f"{dotted(where)}: expected {' or '.join(allowed)}, found nothing. Take {name} out, or name one."
    for key in keys:
        if key not in allowed:
            yield where, f"{dotted(where)}: expected {' or '.join(allowed)}, found {key!r}."
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


def _drop_label(resolved: Resolved) -> bool:
    """Take the label out of a transform's keys; return whether anything is left for it to do."""
    kwargs = resolved.kwargs
    if any(kwargs.get(name) == LABEL for name in _LOOKED_AT):
        return False
    if LABEL not in kwargs.get("keys", ()):
        return True
    kept = [i for i, key in enumerate(kwargs["keys"]) if key != LABEL]
    for name, value in list(kwargs.items()):
        if name != "keys" and name in _PER_KEY and isinstance(value, list):
            kwargs[name] = [value[i] for i in kept]
    kwargs["keys"] = [kwargs["keys"][i] for i in kept]
    return bool(kept)


def check_pipelines(config: Config) -> list[tuple[Key, str]]:
    """Build every transform once and collect all mistakes."""
    mistakes: list[tuple[Key, str]] = []
    for section in SECTIONS:
        for i, component in enumerate(getattr(config.transforms, section)):

            def build(section: str = section, i: int = i, component: Component = component) -> Any:
                return resolve_transform(config, section, i, component).construct()

            collect(build, mistakes, ("transforms", section, i))
    return mistakes
