"""Find mistakes in components and arguments of the Trainer without importing what they belong to."""

from __future__ import annotations

from collections.abc import Iterator

from trainlib.build.catalogue import TRAINER, Catalogue, Entry
from trainlib.build.extras import keyed_loggers
from trainlib.build.keywords import keyword_mistakes, one_for_each_value, unknown_keywords
from trainlib.build.kinds import nothing_like
from trainlib.build.trainer import foreign_arguments, trainer_mistakes
from trainlib.build.types import texts_for_numbers
from trainlib.config.component import Component
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.config.window import window_mistakes


def spelling_mistakes(config: Config, index: Catalogue) -> list[tuple[Key, str]]:
    """Look every name of a config up in the index of the components, and tell values that cannot be right.

    What comes from a script, or is named by a dotted path, is not looked at.

    Args:
        config: The config.
        index: The index.

    Returns:
        Key and sentence of each mistake.
    """
    mistakes = [
        *window_mistakes(config),
        *(mistake for named in _named(config) for mistake in _mistakes(*named, index)),
    ]
    mistakes += [*foreign_arguments(config, index[TRAINER]["Trainer"].keywords), *trainer_mistakes(config.trainer)]
    return list(one_for_each_value(dict.fromkeys(mistakes)))


def _named(config: Config) -> Iterator[tuple[str, Key, Component]]:
    """List the components that are looked up in the packages: kind, section and component."""
    for kind in ("model", "loss", "optimizer", "scheduler", "inferer"):
        component = getattr(config, kind)
        if component is not None and component.name != BUNDLE and not getattr(config.patch, kind, None):
            yield kind, (kind,), component
    sections = ("base", "train", "post") if config.task == SEGMENTATION else ("base", "train")
    for section in () if config.patch.transforms else sections:
        for i, component in enumerate(getattr(config.transforms, section)):
            yield "transform", ("transforms", section, i), component
    for i, component in enumerate(config.callbacks):
        yield "callback", ("callbacks", i), component
    for key, component in keyed_loggers(config):
        yield "logger", key, component


def _mistakes(kind: str, key: Key, component: Component, index: Catalogue) -> Iterator[tuple[Key, str]]:
    if "." in component.name:
        return
    entry = index[kind].get(component.name)
    here = (*key, component.name)
    if entry is None:
        names = {name for name, other in index[kind].items() if not other.alias}
        text = f"{component.name} is not a known {kind}.{nothing_like(kind, component.name, names)}"
        yield here, f"{dotted(key)}: {text}"
        return
    yield from _keyword_mistakes(here, component, entry)


def _keyword_mistakes(here: Key, component: Component, entry: Entry) -> Iterator[tuple[Key, str]]:
    unknown = unknown_keywords(component.kwargs, entry.keywords, is_open=entry.is_open)
    return keyword_mistakes(here, unknown, texts_for_numbers(entry.numbers, component.kwargs))
