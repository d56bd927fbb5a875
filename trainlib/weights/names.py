"""Dotted names of the modules and parameters of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from trainlib.words import count


def is_named(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether one of the patterns, with the wildcards of `fnmatch`, stands for a name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def is_within(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a parameter, or a module that it lies in, is named by one of the patterns."""
    return any(is_named(module, patterns) for module in _upwards(name))


def collapsed(names: Collection[str], among: Collection[str]) -> list[str]:
    """Name modules as a whole in place of all the tensors in them.

    Args:
        names: Dotted names of tensors.
        among: All tensors that there are.
    """
    chosen = set(names)
    elsewhere = {module for name in among if name not in chosen for module in _upwards(name)[:-1]}
    groups = Counter(next(module for module in _upwards(name) if module not in elsewhere) for name in names)
    return [name if name in chosen else f"{name} ({count(number, 'tensor')})" for name, number in groups.items()]


def _upwards(name: str) -> list[str]:
    """List the modules that a tensor lies in, the outermost first, and its own name."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
