"""Read a config: merge files and overrides, resolve interpolations, check everything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from trainlib.config.defaults import SEGMENTATION, task_of
from trainlib.config.meant import Written, decimal_commas
from trainlib.config.merge import defaults_for, merge, parse_override, place
from trainlib.config.model import BUNDLE
from trainlib.config.problems import explain
from trainlib.config.reading import null_signs, read_file, unresolved
from trainlib.config.schema import Config
from trainlib.config.sources import Key, Override, Sources
from trainlib.config.writing import dump_config, dump_settings
from trainlib.errors import ConfigError, Problem


@dataclass(frozen=True)
class Loaded:
    """What came of reading a config.

    Attributes:
        config: The checked config; where something is wrong, what is left of it without the wrong keys, so
            that the rest can be checked too; None where nothing could be read.
        problems: All mistakes.
        sources: The files and overrides it came from.
        wrong: Keys whose value in `config` is a stand-in, so that nothing about them is worth telling.
    """

    config: Config | None
    problems: list[Problem]
    sources: Sources
    wrong: frozenset[Key] = frozenset()


def load_config(files: str | Path | Sequence[str | Path], overrides: Sequence[str] = ()) -> Config:
    """Read, merge and check config files.

    Args:
        files: One config file or several; later ones win.
        overrides: Settings such as ``trainer.max_epochs=5``; they win over the files.

    Returns:
        The complete config, with absolute paths.

    Raises:
        ConfigError: Anything in the files or overrides is wrong; the message lists all of it.
    """
    loaded = read_config(files, overrides)
    if loaded.problems or loaded.config is None:
        raise ConfigError(loaded.problems)
    return loaded.config


def read_config(files: str | Path | Sequence[str | Path], overrides: Sequence[str] = ()) -> Loaded:
    """Read and check config files as `load_config` does, but return the mistakes instead of raising."""
    paths = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    contents, parsed, problems = [], [], []
    for path in paths:
        try:
            contents.append(read_file(path))
        except ConfigError as error:
            problems += error.problems
    for text in overrides:
        try:
            parsed.append(parse_override(text))
        except ConfigError as error:
            problems += error.problems
    raw, more = _merged(contents, parsed)
    problems += more
    if problems:
        return Loaded(None, problems, Sources())
    sources = Sources(tuple(paths), tuple(parsed))
    resolved, problems = _resolve(raw, sources)
    if not problems and task_of(resolved) != task_of(raw):
        text = "task and data.label_cols decide on defaults, so they cannot be interpolations. Write them out."
        problems = [Problem(text, sources.locate(("task",)))]
    problems += null_signs(resolved, sources)
    return _check(resolved, sources) if not problems else Loaded(None, problems, sources)


def _merged(contents: list[dict[str, Any]], overrides: list[Override]) -> tuple[dict[str, Any], list[Problem]]:
    """Lay files and overrides over the defaults of the task that comes out."""
    raw, problems = _laid_over(defaults_for(SEGMENTATION), contents, overrides)
    task = task_of(raw)
    return (raw, problems) if task == SEGMENTATION else _laid_over(defaults_for(task), contents, overrides)


def _laid_over(
    defaults: dict[str, Any], contents: list[dict[str, Any]], overrides: list[Override]
) -> tuple[dict[str, Any], list[Problem]]:
    raw, problems = defaults, []
    for content in contents:
        raw = merge(raw, content, defaults)
    for override in overrides:
        try:
            raw = merge(raw, place(raw, override), defaults)
        except ConfigError as error:
            problems += error.problems
    return raw, problems


def _resolve(raw: dict[str, Any], sources: Sources) -> tuple[dict[str, Any], list[Problem]]:
    """Replace every ``${...}`` by what it stands for."""
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(raw), resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        return {}, [unresolved(error, sources)]
    except RecursionError:
        return {}, [Problem("An interpolation ${...} refers to itself.", sources.locate(()))]
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}, []


def _check(raw: dict[str, Any], sources: Sources) -> Loaded:
    """Validate; on mistakes, validate again without the wrong keys to get a config for further checks."""
    written = Written(sources, task_of(raw))
    commas = list(decimal_commas(raw, sources))
    problems = {key: problem for key, _, problem in commas}
    raw = _prune(raw, {*problems, *(behind for _, behind, _ in commas)}, ())
    try:
        config = _with_absolute_paths(Config.model_validate(raw))
        return Loaded(config, list(problems.values()), sources, frozenset(problems))
    except ValidationError as error:
        problems |= explain(error, written)
    wrong = set(problems)
    # What is left of a list may be too short, and an odd key cannot be told by its name: then its parent goes too.
    for _ in range(3):
        try:
            config = _with_absolute_paths(Config.model_validate(_without(raw, wrong)))
            return Loaded(config, list(problems.values()), sources, frozenset(wrong))
        except ValidationError as error:
            again = set(explain(error, written))
            wrong |= again | {key[:-1] for key in again & wrong}
    return Loaded(None, list(problems.values()), sources, frozenset(wrong))


def _without(raw: dict[str, Any], keys: set[Key]) -> dict[str, Any]:
    """Copy `raw` without the given keys; what is required and missing gets a stand-in."""
    classes = ["background", "foreground"] if task_of(raw) == SEGMENTATION else []
    data = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": classes}
    remainder = _prune(raw, keys, ())
    given = remainder.get("data")
    return remainder | {"data": data | given if isinstance(given, dict) else data}


def _prune(node: Any, wrong: set[Key], here: Key) -> Any:
    if isinstance(node, dict):
        kept = {name: (*here, str(name)) for name in node if (*here, str(name)) not in wrong}
        return {name: _prune(node[name], wrong, key) for name, key in kept.items()}
    if isinstance(node, list):
        return [_prune(value, wrong, (*here, i)) for i, value in enumerate(node) if (*here, i) not in wrong]
    return node


def _with_absolute_paths(config: Config) -> Config:
    """Make the config independent of the working directory, so that it means the same wherever it is read."""

    def absolute(path: str | None) -> str | None:
        return None if path is None else os.path.abspath(Path(path).expanduser())

    patch = {name: absolute(path) for name, path in config.patch}
    data = {"root": absolute(config.data.root), "cache_dir": absolute(config.data.cache_dir)}
    model: dict[str, Any] = {"weights": absolute(config.model.weights)}
    if config.model.name == BUNDLE and isinstance(path := config.model.kwargs.get("path"), str):
        model["kwargs"] = config.model.kwargs | {"path": absolute(path)}
    pushover = config.pushover
    if pushover is not None:
        pushover = pushover.model_copy(update={"credentials": absolute(pushover.credentials)})
    return config.model_copy(
        update={
            "pushover": pushover,
            "model": config.model.model_copy(update=model),
            "run": config.run.model_copy(update={"root": absolute(config.run.root)}),
            "data": config.data.model_copy(update=data),
            "patch": config.patch.model_copy(update=patch),
        }
    )


__all__ = ["Loaded", "Override", "dump_config", "dump_settings", "load_config", "read_config"]
