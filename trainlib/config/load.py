"""Read a config: merge files and overrides, resolve interpolations, check everything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from trainlib.config.merge import DEFAULTS, merge, parse_override, place
from trainlib.config.problems import explain
from trainlib.config.schema import Config
from trainlib.config.sources import Key, Override, Sources
from trainlib.errors import ConfigError, Problem


@dataclass(frozen=True)
class Loaded:
    """What came of reading a config.

    Attributes:
        config: The checked config; where something is wrong, what is left of it without the wrong keys, so
            that the rest can be checked too; None where nothing could be read.
        problems: All mistakes.
        sources: The files and overrides it came from.
    """

    config: Config | None
    problems: list[Problem]
    sources: Sources


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
    raw, parsed, problems = DEFAULTS, [], []
    for path in paths:
        try:
            raw = merge(raw, _read(path))
        except ConfigError as error:
            problems += error.problems
    for text in overrides:
        try:
            override = parse_override(text)
            raw = merge(raw, place(raw, override))
            parsed.append(override)
        except ConfigError as error:
            problems += error.problems
    if problems:
        return Loaded(None, problems, Sources())
    sources = Sources(tuple(paths), tuple(parsed))
    resolved, problems = _resolve(raw, sources)
    return _check(resolved, sources) if not problems else Loaded(None, problems, sources)


def _read(path: Path) -> dict[str, Any]:
    """Read one YAML file into a mapping."""
    try:
        content = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file. Check the path after -c.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as a config file ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file in UTF-8. Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: is not valid YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}.") from None
    if not OmegaConf.is_dict(content):
        raise ConfigError(f"{path}: expected a mapping of settings such as `data:`, found {_kind(content)}.")
    if not content:
        raise ConfigError(f"{path}: the file holds no settings. It needs at least a `data:` section.")
    plain = OmegaConf.to_container(content, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _kind(content: Any) -> str:
    return "a list" if OmegaConf.is_list(content) else "a single value"


def _resolve(raw: dict[str, Any], sources: Sources) -> tuple[dict[str, Any], list[Problem]]:
    """Replace every ``${...}`` by what it stands for."""
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(raw), resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        key: Key = tuple(str(error.full_key).split(".")) if error.full_key else ()
        reason = str(error.msg or error).splitlines()[0]
        return {}, [Problem(f"{error.full_key}: the interpolation cannot be resolved: {reason}.", sources.locate(key))]
    except RecursionError:
        return {}, [Problem("An interpolation ${...} refers to itself.", sources.locate(()))]
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}, []


def _check(raw: dict[str, Any], sources: Sources) -> Loaded:
    """Validate; on mistakes, validate again without the wrong keys to get a config for further checks."""
    try:
        return Loaded(_with_absolute_paths(Config.model_validate(raw)), [], sources)
    except ValidationError as error:
        problems = explain(error, sources)
    remainder = _without(raw, problems)
    try:
        config = _with_absolute_paths(Config.model_validate(remainder))
    except ValidationError:
        config = None
    return Loaded(config, list(problems.values()), sources)


def _without(raw: dict[str, Any], keys: dict[Key, Problem]) -> dict[str, Any]:
    """Copy `raw` without the given keys; what is required and missing gets a stand-in."""
    data = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "foreground"]}
    remainder = _prune(raw, set(keys), ())
    given = remainder.get("data")
    return remainder | {"data": data | given if isinstance(given, dict) else data}


def _prune(node: Any, wrong: set[Key], here: Key) -> Any:
    if isinstance(node, dict):
        return {name: _prune(value, wrong, (*here, name)) for name, value in node.items() if (*here, name) not in wrong}
    if isinstance(node, list):
        return [_prune(value, wrong, (*here, i)) for i, value in enumerate(node) if (*here, i) not in wrong]
    return node


def _with_absolute_paths(config: Config) -> Config:
    """Make the config independent of the working directory, so that it means the same wherever it is read."""

    def absolute(path: str | None) -> str | None:
        return None if path is None else os.path.abspath(Path(path).expanduser())

    patch = {name: absolute(path) for name, path in config.patch}
    data = {"root": absolute(config.data.root), "cache_dir": absolute(config.data.cache_dir)}
    return config.model_copy(
        update={
            "run": config.run.model_copy(update={"root": absolute(config.run.root)}),
            "data": config.data.model_copy(update=data),
            "patch": config.patch.model_copy(update=patch),
        }
    )


def dump_config(config: Config) -> str:
    """Write a config as YAML that `load_config` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


__all__ = ["Loaded", "Override", "dump_config", "load_config", "read_config"]
