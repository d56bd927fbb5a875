"""In which settings two configs differ, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, NamedTuple

from trainlib.config.model import apart

# Sections and lists that hold components, as `Config.model_dump` writes them: a name, or a name with its keywords.
_COMPONENTS = ("model", "loss", "optimizer", "scheduler", "inferer")
_PIPELINES = ("transforms.base", "transforms.train", "transforms.post")


class Difference(NamedTuple):
    """A setting that is not the same in two configs.

    Attributes:
        key: The setting; of a transform with its place in the later config, where it is in both.
        before: What the earlier config says.
        now: What the later one says.
    """

    key: str
    before: str
    now: str


def differences(before: Mapping[str, Any], now: Mapping[str, Any], parent: str = "") -> Iterator[Difference]:
    """Compare two configs key by key; components by their names first, pipelines transform by transform.

    Args:
        before: The earlier config, from ``Config.model_dump(mode="json")`` or a file.
        now: The later config.
        parent: The key that both stand at.
    """
    for name in sorted({*before, *now}, key=str):
        key = f"{parent}.{name}" if parent else str(name)
        yield from _differing(key, before.get(name), now.get(name))


def _differing(key: str, before: Any, now: Any) -> Iterator[Difference]:
    if before == now:
        return
    if key in _COMPONENTS and before is not None and now is not None and _name(before) == _name(now):
        yield from differences(_kwargs(before), _kwargs(now), f"{key}.{_name(now)}")
        yield from differences(_beside(before), _beside(now), key)
    elif key in _COMPONENTS:
        yield Difference(key, _written(before), _written(now))
    elif key in _PIPELINES and isinstance(before, list) and isinstance(now, list):
        yield from _in_pipeline(key, before, now)
    elif (before is None or isinstance(before, Mapping)) and (now is None or isinstance(now, Mapping)):
        yield from differences(before or {}, now or {}, key)
    else:
        yield Difference(key, *("not set" if value is None else repr(value) for value in (before, now)))


def _in_pipeline(key: str, before: Sequence[Any], now: Sequence[Any]) -> Iterator[Difference]:
    """Compare transforms of the same name in the same order; name those that only one pipeline has."""
    matcher = SequenceMatcher(None, [_name(spec) for spec in before], [_name(spec) for spec in now], autojunk=False)
    for operation, start, end, other_start, other_end in matcher.get_opcodes():
        pairs = zip_longest(before[start:end], now[other_start:other_end])
        for i, (old, new) in enumerate(pairs, other_start):
            if operation == "equal":
                yield from differences(_kwargs(old), _kwargs(new), f"{key}[{i}].{_name(new)}")
            else:
                yield Difference(f"{key}[{i}]", _written(old), _written(new))


def _name(component: Any) -> str:
    component, _ = apart(component)
    return str(next(iter(component), "{}")) if isinstance(component, Mapping) else str(component)


def _kwargs(component: Any) -> Mapping[str, Any]:
    component, _ = apart(component)
    found = next(iter(component.values()), None) if isinstance(component, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _beside(component: Any) -> Mapping[str, Any]:
    """Return the settings beside the name of a network."""
    return apart(component)[1]


def _written(component: Any) -> str:
    """Write a component in one line: ``RandFlipd(spatial_axis=0)``."""
    if component is None:
        return "not set"
    keywords = ", ".join(f"{name}={value!r}" for name, value in _kwargs(component).items())
    return f"{_name(component)}({keywords})" if keywords else _name(component)
