"""Write configs as YAML that is read back as it was, and change those that are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from trainlib.config.reading import read_file
from trainlib.config.schema import Config
from trainlib.system.files import write_text


def dump_config(config: Config) -> str:
    """Write a config as YAML that `load_config` reads back to an equal one."""
    return dump_settings(config.model_dump())


def dump_settings(settings: dict[str, Any]) -> str:
    """Write settings as YAML for `load_config`; what is in them is meant as it stands, a ``${`` too."""
    return _as_yaml(_escaped(settings))


def rewrite(path: Path, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Change settings in a complete config; all others stay as they are, those that this version does not know too.

    Args:
        path: The file.
        changes: Section -> setting -> value, meant as it stands.

    Raises:
        ConfigError: The file is no config.
    """
    content = read_file(path)
    for section, values in changes.items():
        content[section] = {**(content.get(section) or {}), **_escaped(dict(values))}
    write_text(path, _as_yaml(content))


def _as_yaml(settings: dict[str, Any]) -> str:
    # OmegaConf's own writer, which puts in quotes what its reader takes for numbers, such as '1e3'.
    return OmegaConf.to_yaml(OmegaConf.create(settings))


def _escaped(node: Any) -> Any:
    """Mark every ``${`` in texts, at any depth, as plain text."""
    if isinstance(node, dict):
        return {name: _escaped(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_escaped(value) for value in node]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", node) if isinstance(node, str) else node
