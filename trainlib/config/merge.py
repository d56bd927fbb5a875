"""Merge config files and overrides: later wins, lists are replaced whole, one component to a section."""

from __future__ import annotations

import re
from typing import Any, get_args, get_origin

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError

from trainlib.config.component import Component
from trainlib.config.defaults import TASK, with_pipelines
from trainlib.config.model import BUNDLE, OF_ONE_NETWORK, apart
from trainlib.config.nesting import DEEPEST, outline
from trainlib.config.schema import Config
from trainlib.config.section import Section
from trainlib.config.sources import Key, Override, dotted
from trainlib.config.training import TransformsSection
from trainlib.config.tune import KINDS
from trainlib.errors import ConfigError


def _holds_component(annotation: Any) -> bool:
    kinds = () if get_origin(annotation) is list else (annotation, *get_args(annotation))
    return any(isinstance(kind, type) and issubclass(kind, Component) for kind in kinds)


COMPONENT_SECTIONS = tuple(name for name, field in Config.model_fields.items() if _holds_component(field.annotation))
"""The sections that hold one component."""


def _defaults(section: type[Section]) -> dict[str, Any]:
    """Write the defaults of a section, and of the sections in it, as they would stand in a file."""
    values: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            values[name] = _defaults(field.annotation)
        elif not field.is_required():
            default = field.get_default(call_default_factory=True)
            values[name] = default.model_dump() if isinstance(default, Component | Section) else default
    return values


def defaults_for(task: str) -> dict[str, Any]:
    """Return the defaults that a file adds to, and that `${...}` may refer to; the pipelines depend on the data."""
    common = _defaults(Config) | {"transforms": {"prob": TransformsSection().prob}}
    checkpoint = common["checkpoint"] | TASK[task]["checkpoint"]
    return common | TASK[task] | {"checkpoint": checkpoint}


def merge(base: dict[str, Any], later: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Lay `later` over `base`.

    In a section that holds one component, another component's name replaces the section; the same name
    adds its keywords to those that stand there. The default component always has its default keywords,
    even after another stood in its place, so that a complete config reads back as it is.

    Args:
        base: What was read before.
        later: What is laid over it.
        defaults: The defaults of the task.
    """
    merged = dict(base)
    for name, value in later.items():
        if name == "model":
            merged[name] = _merge_model(merged.get(name), value, defaults[name])
        elif name in COMPONENT_SECTIONS:
            merged[name] = _merge_component(merged.get(name), value, defaults[name])
        elif name == "trainer":
            merged[name] = _merge_trainer(merged.get(name), value)
        elif name == "tune":
            merged[name] = _merge_search(merged.get(name), value)
        else:
            merged[name] = _merge_value(merged.get(name), value)
    return merged


def _merge_value(base: Any, later: Any) -> Any:
    if isinstance(base, dict) and isinstance(later, dict):
        return base | {name: _merge_value(base.get(name), value) for name, value in later.items()}
    return later


def _merge_trainer(base: Any, later: Any) -> Any:
    """Lay arguments of the Trainer over others, where another logger replaces the one before."""
    merged = _merge_value(base, later)
    if isinstance(base, dict) and isinstance(later, dict) and "logger" in base and "logger" in later:
        merged["logger"] = _merge_component(base["logger"], later["logger"])
    return merged


def _merge_search(base: Any, later: Any) -> Any:
    """Lay a search over another one: what a setting is drawn from replaces what it was drawn from before."""
    merged = _merge_value(base, later)
    before, now = (section.get("space") if isinstance(section, dict) else None for section in (base, later))
    if isinstance(before, dict) and isinstance(now, dict):
        merged["space"] = before | now
    return merged


def _merge_component(base: Any, later: Any, default: Any = None) -> Any:
    later = _as_mapping(later)
    for known in (_as_mapping(base), _as_mapping(default)):
        if isinstance(known, dict) and isinstance(later, dict) and known.keys() == later.keys():
            return {name: known[name] if kwargs in (None, {}) else _merge_value(known[name], kwargs)
                    for name, kwargs in later.items()}  # fmt: skip
    return later


def _merge_model(base: Any, later: Any, default: Any) -> Any:
    """Lay one network over another; weights and what is frozen go with the network that they were given for."""
    (known, before), (component, settings) = apart(_with_path(base)), apart(_with_path(later))
    merged = known if settings and not component else _merge_component(known, component, default)
    if _named(merged) != _named(known):
        before = {name: value for name, value in before.items() if name not in OF_ONE_NETWORK}
    settings = _merge_value(before, settings)
    mapping = _as_mapping(merged)
    return {**mapping, **settings} if settings and isinstance(mapping, dict) else merged


def _with_path(model: Any) -> Any:
    """Write the folder of a bundle as the keyword that it is."""
    is_bare = isinstance(model, dict) and isinstance(model.get(BUNDLE), str)
    return {**model, BUNDLE: {"path": model[BUNDLE]}} if is_bare else model


def _named(component: Any) -> list[str]:
    mapping = _as_mapping(component)
    return [*map(str, mapping)] if isinstance(mapping, dict) else []


def _as_mapping(component: Any) -> Any:
    """Write a bare name, or one under `name`, as the mapping it stands for."""
    if (
        isinstance(component, dict)
        and component.keys() <= {"name", "kwargs"}
        and isinstance(component.get("name"), str)
    ):
        return {component["name"]: component.get("kwargs")}
    return {component: {}} if isinstance(component, str) and component else component


def parse_override(text: str) -> Override:
    """Read ``key.sub=value`` or ``--key.sub=value``; list items are written ``key[0]`` or ``key.0``.

    Raises:
        ConfigError: The text is no setting, or its value is not YAML.
    """
    key, separator, value = text.removeprefix("--").partition("=")
    if not separator or not re.fullmatch(r"[^\W\d][\w-]*(\.[\w-]+|\[\d+\])*", key):
        raise ConfigError(f"{text}: expected a setting such as trainer.max_epochs=5.")
    parts = re.findall(r"[\w-]+", key)
    if outline(value).too_deep is not None:
        raise ConfigError(f"{text[:60]}...: the value is nested more than {DEEPEST} levels deep, which no setting is.")
    try:
        # OmegaConf's own dialect, so that 2e-3 is a number here as it is in a file.
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={value}"]))
    except yaml.YAMLError as error:
        reason = error.problem if isinstance(error, yaml.MarkedYAMLError) and error.problem else str(error)
        raise ConfigError(f"{text}: the value is not valid YAML ({' '.join(reason.split())}).") from None
    except GrammarParseError:
        raise ConfigError(f"{text}: the value is no valid interpolation. Write it as ${{section.key}}.") from None
    except RecursionError:  # interpolations within interpolations
        raise ConfigError(f"{text[:60]}...: the value is nested too deeply to be read.") from None
    assert isinstance(parsed, dict)
    key_parts = tuple(int(part) if re.fullmatch(r"-?\d+", part) else part for part in parts)
    return Override(key_parts, parsed["value"], text)


def place(raw: dict[str, Any], override: Override) -> dict[str, Any]:
    """Write an override as the nested mapping it stands for, lists copied from `raw` with the item exchanged.

    Raises:
        ConfigError: It names an item that a list does not have.
    """
    head, *rest = override.key
    if head == "tune" and rest[:1] == ["space"] and len(rest) > 1:
        return {"tune": {"space": _distribution(rest[1:], override.value)}}
    node = with_pipelines(raw).get("transforms") if head == "transforms" else raw.get(str(head))
    return {str(head): _nest(node, tuple(rest), override)}


def _distribution(key: list[int | str], value: Any) -> dict[str, Any]:
    """Read an override of a search space, whose keys hold dots: ``tune.space.optimizer.AdamW.lr.uniform=[0.1, 1]``."""
    if len(key) > 1 and key[-1] in KINDS:
        key, value = key[:-1], {str(key[-1]): value}
    return {dotted(tuple(key)): value}


def _nest(node: Any, key: Key, override: Override) -> Any:
    if not key:
        return override.value
    part = key[0]
    if isinstance(node, list):
        if not isinstance(part, int) or not 0 <= part < len(node):
            has = f"has items 0 to {len(node) - 1}" if node else "is empty"
            raise ConfigError(f"{override.written}: the list {has}, so there is no item {part} to set.")
        nested = _nest(node[part], key[1:], override)
        # A plain value takes an item's place; keywords of a component join those that stand there.
        item = _merge_component(node[part], nested) if isinstance(nested, dict) else nested
        return [*node[:part], item, *node[part + 1 :]]
    if isinstance(node, dict):
        # The name of a component may hold dots itself: `model.my_package.MyNet.width`.
        for end in range(len(key), 0, -1):
            name = ".".join(map(str, key[:end])) if end > 1 else part
            if name in node:
                return {name: _nest(node[name], key[end:], override)}
    return {part: _nest(None, key[1:], override)}
