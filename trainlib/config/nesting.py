"""Look at the outline of a YAML text before it is read: what it is, and how deeply it is nested."""

from __future__ import annotations

from typing import NamedTuple

import yaml

DEEPEST = 50
"""Levels of nesting that are read; Python itself gives up a few hundred later."""
_NOTHING = ("", "~", "null")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader that OmegaConf builds on: that of Python alone refuses some of what it takes."""


class Outline(NamedTuple):
    """What a YAML text looks like from outside.

    Attributes:
        plain: Whether it is a single value, neither mapping nor list.
        too_deep: Line of the first value that is nested too deeply; None where there is none.
    """

    plain: bool
    too_deep: int | None


def outline(text: str) -> Outline:
    """Look at a YAML text, without building anything of it; what is no YAML, its reader will say."""
    depth, plain = 0, False
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.ScalarEvent) and depth == 0:
                plain = event.value.lower() not in _NOTHING
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    return Outline(plain, event.start_mark.line + 1 if event.start_mark else 1)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, ValueError):
        pass
    return Outline(plain, None)
