"""Build the transform pipelines; no transform touches a label by accident."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from trainlib.build.guards import (
    as_list,
    key_mistakes,
    label_map_mistakes,
    place_mistakes,
    value_mistakes,
)
from trainlib.build.keywords import Keywords
from trainlib.build.post import post_mistakes
from trainlib.build.rehearsal import augmentation_mistakes
from trainlib.build.resolve import Resolved, collect, resolve
from trainlib.build.roles import IMAGE, LABEL, interpolation_keyword, keys_for, modes_for
from trainlib.config.component import Component
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.config.sources import Key

if TYPE_CHECKING:
    from monai.transforms import Compose

# Keywords that may hold one value for each key.
_PER_KEY = ("mode", "grid_mode", "padding_mode", "align_corners", "dtype")
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
        if with_label or drop_label(resolved):
            transforms.append(resolved.construct())
    return Compose(transforms)


def resolve_transform(config: Config, section: str, index: int, component: Component) -> Resolved:
    """Complete the keywords of a transform: keys, interpolation of each key, probability, number of classes.

    Raises:
        ComponentError: There is no such transform, or it would damage a label map.
    """
    from trainlib.build.readers import register_readers

    register_readers()
    label_maps = config.task == SEGMENTATION

    def known(keywords: Keywords) -> dict[str, Any]:
        filled = {
            "prob": config.transforms.prob,
            "label_key": LABEL,
            "source_key": IMAGE,
            "num_classes": config.out_channels,
        }
        if not label_maps and "label_key" in keywords.parameters and keywords.default("label_key") is None:
            del filled["label_key"]  # a transform that can do without a label map
        return filled | _default_keys(keywords, section, label_maps)

    resolved = resolve("transform", ("transforms", section, index), component, config, known)
    target, keywords, kwargs = resolved.found.target, resolved.keywords, resolved.kwargs
    if "keys" in kwargs:
        keys = kwargs["keys"] = as_list(kwargs["keys"])
        if mode := interpolation_keyword(target, keywords):
            # `grid_mode` defaults to nearest for the sake of labels, which get it anyway.
            default = "bilinear" if mode == "grid_mode" else keywords.default(mode)
            kwargs[mode] = modes_for(keys, kwargs.get(mode), default)
    if not label_maps and (mistakes := list(label_map_mistakes(resolved, component.kwargs, config.task))):
        resolved.mistakes += mistakes
        return resolved
    if "keys" in kwargs:
        resolved.mistakes += key_mistakes(resolved, section, kwargs["keys"], label_maps=label_maps)
    resolved.mistakes += place_mistakes(resolved, section)
    resolved.mistakes += value_mistakes(resolved)
    return resolved


def _default_keys(keywords: Keywords, section: str, label_maps: bool) -> dict[str, Any]:
    """Tell the keys of a transform where the config does not: those of its signature, or those that suit its kind.

    The signature's are written out too, so that they are checked like any others and the label can be taken out,
    as it is at once where no case has a label map and something else is left.
    """
    if "keys" not in keywords.parameters:
        return {}
    default = keywords.default("keys")
    keys = keys_for(keywords.target, section) if default in (inspect.Parameter.empty, None) else default
    if keys is None:
        return {}
    if not label_maps:
        keys = [key for key in as_list(keys) if key != LABEL] or keys
    return {"keys": list(keys) if isinstance(keys, tuple) else keys}


def drop_label(resolved: Resolved) -> bool:
    """Take the label out of a transform's keys; return whether anything is left for it to do."""
    kwargs = resolved.kwargs
    if LABEL not in kwargs.get("keys", ()):
        return True
    kept = [i for i, key in enumerate(kwargs["keys"]) if key != LABEL]
    for name, value in list(kwargs.items()):
        if name != "keys" and name in _PER_KEY and isinstance(value, list):
            kwargs[name] = [value[i] for i in kept]
    kwargs["keys"] = [kwargs["keys"][i] for i in kept]
    return bool(kept)


def check_pipelines(config: Config) -> list[tuple[Key, str]]:
    """Build every transform once, try the post-processing, and collect all mistakes."""
    mistakes: list[tuple[Key, str]] = []
    whole: dict[str, list[tuple[Resolved, Any]]] = {section: [] for section in SECTIONS}
    label_maps = config.task == SEGMENTATION
    for section in SECTIONS if label_maps else SECTIONS[:-1]:
        for i, component in enumerate(getattr(config.transforms, section)):

            def build(section: str = section, i: int = i, component: Component = component) -> tuple[Resolved, Any]:
                resolved = resolve_transform(config, section, i, component)
                return resolved, resolved.construct()

            built = collect(build, mistakes, ("transforms", section, i))
            if built is not None:
                whole[section].append(built)
    mistakes += augmentation_mistakes(config, whole["train"])
    if not label_maps:
        text = f"transforms.post: {config.task} has no label map to work on after the prediction; leave it empty."
        return mistakes + ([(("transforms", "post"), text)] if config.transforms.post else [])
    complete = len(whole["post"]) == len(config.transforms.post)
    return mistakes + (list(post_mistakes(config, whole["post"])) if complete else [])
