"""Find what is wrong with a search before it begins: no trial is to fail for a reason that could be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from trainlib.config.load import Loaded
from trainlib.config.schema import Config
from trainlib.config.sources import Key, Sources
from trainlib.config.tune import TuneSection
from trainlib.config.varied import parse_key, vary
from trainlib.errors import ConfigError, Problem
from trainlib.folders.searches import judged
from trainlib.preflight import component_problems, quick_problems
from trainlib.tune.comparable import grid_mistakes, key_mistakes
from trainlib.tune.space import Space

Find = Callable[[Loaded, Mapping[str, Any]], list[Problem]]
_EXAMPLE = "Add it, as in `tune: {trials: 20, space: {optimizer.AdamW.lr: {loguniform: [1e-4, 1e-2]}}}`."


def quick_tune_problems(loaded: Loaded) -> list[Problem]:
    """Find what can be seen without importing torch.

    Args:
        loaded: The config as it was read; what is wrong with it otherwise is not repeated.
    """
    config = loaded.config
    if config is None or any(key[0] == "tune" for key in loaded.wrong):
        return []
    if config.tune is None:
        return [Problem(f"tune is missing: it says what to search. {_EXAMPLE}", _place(loaded.sources, ("tune",)))]
    problems = [*_combination_problems(loaded, config.tune), *_metric_problems(loaded, config)]
    mistakes = dict(key_mistakes(config, config.tune))
    problems += [_in_space(loaded.sources, key, text) for key, text in mistakes.items()]
    if loaded.problems:
        return problems
    sound = {name: values for name, values in config.tune.space.items() if name not in mistakes}
    return problems + _found_in_corners(config, Space(sound), loaded.sources, _quick)


def _quick(varied: Loaded, values: Mapping[str, Any]) -> list[Problem]:
    """Check what rests on the changed settings; the CSVs only where one of them is about the data."""
    return quick_problems(varied) if any(key.startswith(("data", "patch")) for key in values) else []


def tune_problems(loaded: Loaded) -> list[Problem]:
    """Find what is wrong with the components at the corners of the space; imports MONAI."""
    config = loaded.config
    if config is None or config.tune is None:
        return []

    def find(varied: Loaded, values: Mapping[str, Any]) -> list[Problem]:
        return component_problems(varied) or grid_mistakes(config, varied.config, values)

    return _found_in_corners(config, Space(config.tune.space), loaded.sources, find)


def _combination_problems(loaded: Loaded, tune: TuneSection) -> Iterator[Problem]:
    """Name settings of the search that exclude each other."""
    if tune.scheduler == "pbt" and tune.search == "optuna":
        text = "tune.search: pbt changes settings by itself, which optuna cannot follow. Use random, or leave it out."
        yield Problem(text, _place(loaded.sources, ("tune", "search")))
    if tune.scheduler == "pbt" and tune.trials < 2:
        text = "tune.trials: pbt copies trials to others, so it needs at least 2."
        yield Problem(text, _place(loaded.sources, ("tune", "trials")))
    epochs = loaded.config.trainer.get("max_epochs") if loaded.config else None
    if tune.grace is not None and isinstance(epochs, int) and tune.grace > epochs:
        text = f"tune.grace: expected at most the {epochs} epochs of trainer.max_epochs, found {tune.grace}."
        yield Problem(text, _place(loaded.sources, ("tune", "grace")))


def _metric_problems(loaded: Loaded, config: Config) -> Iterator[Problem]:
    """Check the metric of the search like the monitored one."""
    assert config.tune is not None
    if config.tune.metric is None:
        return
    for problem in quick_problems(replace(loaded, config=judged(config), problems=[])):
        if problem.text.startswith("checkpoint.monitor:"):
            text = problem.text.replace("checkpoint.monitor:", "tune.metric:", 1)
            yield Problem(text, _place(loaded.sources, ("tune", "metric")))


def _found_in_corners(config: Config, space: Space, sources: Sources, find: Find) -> list[Problem]:
    """Check the config at each corner of the space.

    What is wrong with one value of one setting is told there; what only several together are, once.
    """
    found: dict[str, Problem] = {}
    for key, values in space.extremes().items():
        for value in values:
            mistakes = _mistakes(config, {key: value}, find)
            for text in mistakes:
                told = (
                    text
                    if text.startswith((f"{key} is not", f"{key} cannot be searched"))
                    else f"{text} ({key}: {_written(value)})"
                )
                found.setdefault(f"{key}: {text}", _in_space(sources, key, told))
            if mistakes and space.dimensions[key].kind != "choice":
                break  # what is wrong with one end of a range is seldom else with the other
    if found:
        return list(found.values())
    for corner in space.corners():
        for text in _mistakes(config, corner, find):
            told = f"{text} ({', '.join(f'{key}: {_written(value)}' for key, value in corner.items())})"
            found.setdefault(text, Problem(f"tune.space: {told}", _place(sources, ("tune", "space"))))
    return list(found.values())


def _mistakes(config: Config, values: Mapping[str, Any], find: Find) -> list[str]:
    varied = vary(config, values)
    return [problem.text for problem in varied.problems or find(varied, values)]


def _written(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _in_space(sources: Sources, key: str, text: str) -> Problem:
    try:
        written = _place(sources, ("tune", "space", *parse_key(key)))
    except ConfigError:
        written = ""
    # In a file the dotted key is one; on the command line it is written like all others.
    where = written if written == "command line" else _place(sources, ("tune", "space", key))
    return Problem(f"tune.space: {text}", where)


def _place(sources: Sources, key: Key) -> str:
    return sources.locate(key)
