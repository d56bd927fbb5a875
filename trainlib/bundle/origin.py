"""What a run that began with a bundle takes over from it, so that its own bundle can build the network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from trainlib.build.bundles import config_of, network_item, parsed
from trainlib.bundle.packed.origin import METADATA, SETTINGS
from trainlib.bundle.references import SCRIPTS, plain
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.system.files import write_text

LICENSE = "LICENSE.origin"


def take_over(folder: Path, config: Config) -> str:
    """Copy config, scripts and licence of the bundle that a run began with.

    Args:
        folder: The bundle that is written, with its own scripts.
        config: The config of the run.

    Returns:
        What a reader is to know of it.

    Raises:
        ConfigError: The bundle is gone, or has a script with the name of another one.
    """
    keywords = dict(config.model.kwargs)
    root = Path(keywords.pop("path"))
    source = config_of(root)
    with parsed(root, source) as parser:
        item = network_item(parser)
    copied = f"origin_config{source.suffix}"
    settings = {"config": copied, "item": item, "keywords": plain(keywords, "model.bundle")}
    target = folder / SCRIPTS
    write_text(target / SETTINGS, json.dumps(settings, indent=2) + "\n")
    for path, name in _taken(root, source, copied):
        content = path.read_text(encoding="utf-8")
        there = target / name
        if there.is_file() and name != "__init__.py" and there.read_text(encoding="utf-8") != content:
            raise ConfigError(f"model.bundle: {path} has the name of a script of the new bundle. Give it another one.")
        write_text(there, content)
    if (root / "LICENSE").is_file():
        write_text(folder / LICENSE, (root / "LICENSE").read_text(encoding="utf-8"))
    return f"Its training began with the bundle {root.name}, whose licence (`{LICENSE}`, if it has one) holds too."


def _taken(root: Path, source: Path, name: str) -> Iterator[tuple[Path, str]]:
    """List the files to copy, with their names among the scripts."""
    yield source, name
    if (metadata := root / "configs" / "metadata.json").is_file():
        yield metadata, METADATA
    for path in sorted((root / SCRIPTS).rglob("*")):
        if path.is_file() and path.suffix in (".py", ".json", ".yaml", ".yml"):
            yield path, path.relative_to(root / SCRIPTS).as_posix()
