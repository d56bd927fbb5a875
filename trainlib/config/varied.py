"""A config with other values of some settings, checked like one that was read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainlib.config.component import Component
from trainlib.config.load import Loaded, _check
from trainlib.config.merge import COMPONENT_SECTIONS, defaults_for, merge, parse_override, place
from trainlib.config.model import SETTINGS
from trainlib.config.schema import Config
from trainlib.config.sources import Key, Override, Sources
from trainlib.errors import ConfigError, Problem


def parse_key(key: str) -> Key:
    """Read a dotted key, such as ``optimizer.AdamW.lr`` or ``transforms.train[1].RandFlipd.prob``.

    Raises:
        ConfigError: It is none.
    """
    try:
        return parse_override(f"{key}=0").key
    except ConfigError:
        raise ConfigError(f"{key} is no setting. Write it as in an override: optimizer.AdamW.lr.") from None


def vary(config: Config, values: Mapping[str, Any]) -> Loaded:
    """Lay values over a complete config, as overrides do.

    Args:
        config: The config.
        values: Dotted key -> value.

    Returns:
        The new config and all that is wrong with it; its problems have no place in a file.
    """
    raw, problems = config.model_dump(), []
    defaults = defaults_for(config.task)
    for key, value in values.items():
        try:
            raw = merge(raw, place(raw, Override(parse_key(key), value, key)), defaults)
        except ConfigError as error:
            problems += error.problems
    if problems:
        return Loaded(None, problems, Sources())
    loaded = _check(raw, Sources())
    return Loaded(loaded.config, [Problem(problem.text) for problem in loaded.problems], Sources(), loaded.wrong)


def other_component(config: Config, key: Key) -> tuple[str, str] | None:
    """Tell where a key speaks of another component than the config has in that place.

    Returns:
        The place, such as ``optimizer``, and the name of its component; None where they agree.
    """
    place, component, rest = "", None, key
    if key[0] in COMPONENT_SECTIONS:
        place, component, rest = str(key[0]), getattr(config, str(key[0])), key[1:]
    elif key[0] == "transforms" and len(key) > 2 and isinstance(key[2], int):
        pipeline = getattr(config.transforms, str(key[1]), None)
        if isinstance(pipeline, list) and 0 <= key[2] < len(pipeline):
            place, component, rest = f"transforms.{key[1]}[{key[2]}]", pipeline[key[2]], key[3:]
    if not place or not rest or (key[0] == "model" and rest[0] in SETTINGS):
        return None
    if component is None:
        return place, "null"
    assert isinstance(component, Component)
    named = ".".join(map(str, rest))
    return None if f"{named}.".startswith(f"{component.name}.") else (place, component.name)
