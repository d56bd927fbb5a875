"""Merge config files and overrides: later wins, lists are replaced whole, one component to a section."""

from __future__ import annotations

import re
from typing import Any, get_args

import yaml
from omegaconf import OmegaConf

from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.sources import Key, Override
from trainlib.errors import ConfigError

COMPONENT_SECTIONS = tuple(
    name for name, field in Config.model_fields.items() if Component in (field.annotation, *get_args(field.annotation))
)
"""The sections that hold one component."""

DEFAULTS: dict[str, Any] = {
    name: Config.model_fields[name].get_default().model_dump() for name in COMPONENT_SECTIONS
} | {"trainer": Config.model_fields["trainer"].get_default()}
"""The defaults that a file adds to instead of replacing them."""


def merge(base: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Lay `later` over `base`.

    In a section that holds one component, another component's name replaces the section; the same name
    adds its keywords to those that stand there.
    """
    merged = dict(base)
    for name, value in later.items():
        if name in COMPONENT_SECTIONS:
            merged[name] = _merge_component(merged.get(name), value)
        else:
            merged[name] = _merge_value(merged.get(name), value)
    return merged


def _merge_value(base: Any, later: Any) -> Any:
    if isinstance(base, dict) and isinstance(later, dict):
        return base | {name: _merge_value(base.get(name), value) for name, value in later.items()}
    return later


def _merge_component(base: Any, later: Any) -> Any:
    base, later = _as_mapping(base), _as_mapping(later)
    if isinstance(base, dict) and isinstance(later, dict) and base.keys() == later.keys():
        return {name: _merge_value(base[name], kwargs) if kwargs else base[name] for name, kwargs in later.items()}
    return later


def _as_mapping(component: Any) -> Any:
    """Write a bare name as the mapping it stands for."""
    return {component: {}} if isinstance(component, str) else component


def parse_override(text: str) -> Override:
    """Read ``key.sub=value`` or ``--key.sub=value``; list items are written ``key[0]`` or ``key.0``.

    Raises:
        ConfigError: The text is no setting, or its value is not YAML.
    """
    key, separator, value = text.removeprefix("--").partition("=")
    if not separator or not re.fullmatch(r"[\w-]+(\.[\w-]+|\[\d+\])*", key):
        raise ConfigError(f"{text}: expected a setting such as trainer.max_epochs=5.")
    parts = re.findall(r"[\w-]+", key)
    try:
        # OmegaConf's own dialect, so that 2e-3 is a number here as it is in a file.
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={value}"]))
    except yaml.YAMLError as error:
        raise ConfigError(f"{text}: the value is not valid YAML ({' '.join(str(error).split())}).") from None
    assert isinstance(parsed, dict)
    return Override(tuple(int(part) if part.isdigit() else part for part in parts), parsed["value"], text)


def place(raw: dict[str, Any], override: Override) -> dict[str, Any]:
    """Write an override as the nested mapping it stands for, lists copied from `raw` with the item exchanged.

    Raises:
        ConfigError: It names an item that a list does not have.
    """
    [head, *rest] = override.key
    if not isinstance(head, str):
        raise ConfigError(f"{override.written}: a setting begins with the name of a section.")
    return {head: _nest(raw.get(head), tuple(rest), override)}


def _nest(node: Any, key: Key, override: Override) -> Any:
    if not key:
        return override.value
    part = key[0]
    if isinstance(node, list):
        if not isinstance(part, int) or part >= len(node):
            raise ConfigError(f"{override.written}: the list has items 0 to {len(node) - 1}, not {part}.")
        nested = _nest(node[part], key[1:], override)
        return [*node[:part], _merge_component(node[part], nested), *node[part + 1 :]]
    child = node.get(part, node.get(str(part))) if isinstance(node, dict) else None
    return {part: _nest(child, key[1:], override)}
