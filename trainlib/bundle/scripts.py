"""The code that a bundle brings along: patch scripts, and what a patched network is built from."""

from __future__ import annotations

import json
import keyword
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trainlib.build.patches import patched
from trainlib.bundle.packed import cases, origin, probabilities, saving
from trainlib.bundle.references import CASES, NETWORK, ORIGIN, SAVING, SCRIPTS, TABLE
from trainlib.bundle.standalone import standalone
from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.data import formats, naming
from trainlib.errors import PatchError
from trainlib.system.files import write_text

_SETTINGS = "settings.json"
_SECTION = "_section_"
_PACKED = {CASES: (cases, naming), SAVING: (saving, formats), TABLE: (probabilities,), ORIGIN: (origin,)}
"""What configs refer to -> the modules that are packed for it, the first of which imports the others."""
_HOMES = ("trainlib.bundle.packed.", "trainlib.data.")
_NETWORK = f'''"""Build the network as it was built for the training, from the settings that it was trained with."""

import json
from pathlib import Path
from types import SimpleNamespace

from . import {{module}}


def _section(value):
    """Make a section of settings from a mapping that is marked as one."""
    return SimpleNamespace(**value["{_SECTION}"]) if "{_SECTION}" in value else value


def build_network():
    """Build the network without its weights."""
    text = Path(__file__).with_name("{_SETTINGS}").read_text(encoding="utf-8")
    return {{module}}.get_model(json.loads(text, object_hook=_section))
'''


def write_scripts(folder: Path, config: Config, used: set[str]) -> list[str]:
    """Write the package of the scripts that a bundle's configs refer to.

    Args:
        folder: The bundle.
        config: The config.
        used: Dotted paths that the configs refer to.

    Returns:
        Names of the files, none where nothing of a patch is used.

    Raises:
        PatchError: Two patch scripts have one name, or one needs trainlib.
    """
    target = folder / SCRIPTS
    for path in _patches(config, used):
        write_text(target / path.name, standalone(path))
    for modules in (modules for referred, modules in _PACKED.items() if referred in used):
        for module in modules:
            path = Path(str(module.__file__))
            write_text(target / path.name, _beside(path.read_text(encoding="utf-8")))
    write_text(target / "__init__.py", '"""The code that the configs of this bundle refer to."""\n')
    if NETWORK in used:
        script = Path(str(config.patch.model)).stem
        write_text(target / "network.py", _NETWORK.format(module=script))
        write_text(target / _SETTINGS, json.dumps(settings(config), indent=2) + "\n")
    return sorted(path.name for path in target.iterdir())


def _beside(source: str) -> str:
    """Let a packed module find the others where they lie in a bundle."""
    for home in _HOMES:
        source = source.replace(f"from {home}", "from .")
    return source


def _patches(config: Config, used: set[str]) -> list[Path]:
    """List the patch scripts that are referred to.

    Raises:
        PatchError: Two of them have one name, or one has a name that it cannot have there.
    """
    wanted = []
    for section, script in config.patch:
        if script is None:
            continue
        of_network = section == "model" and NETWORK in used
        if of_network or any(name.startswith(f"{SCRIPTS}.{Path(script).stem}.") for name in used):
            wanted.append(Path(script))
    unique = list(dict.fromkeys(wanted))
    names = [path.stem for path in unique]
    ours = {str(module.__name__).rpartition(".")[2] for modules in _PACKED.values() for module in modules}
    for path in unique:
        if names.count(path.stem) > 1 or path.stem in {*ours, "network", "__init__"}:
            raise PatchError(f"patch: the scripts of a bundle lie in one folder, and {path} needs another name there.")
        if not path.stem.isidentifier() or keyword.iskeyword(path.stem):
            raise PatchError(f"patch: a bundle imports its scripts by name. Rename {path}, as in my_script.py.")
    return unique


def settings(config: Config) -> Any:
    """Write down the config with what follows from it, so that `get_model` finds the same names in it."""
    written = _marked(config)
    follows = ("in_channels", "out_channels", "multilabel", "roi_size", "label_values", "label_cells", "monitor_mode")
    for name in follows:
        value = getattr(config, name)
        written[_SECTION][name] = list(value) if isinstance(value, tuple) else value
    for private in ("run", "pushover", "emissions"):  # where somebody works, and their secrets
        written[_SECTION][private] = None
    for path in ("root", "cache_dir"):
        written[_SECTION]["data"][_SECTION][path] = None
    written[_SECTION]["patch"] = {_SECTION: dict.fromkeys(dict(config.patch))}
    return written


def _marked(value: Any) -> Any:
    """Turn sections into marked mappings; mappings of the user stay mappings."""
    if isinstance(value, Component):
        return {_SECTION: {"name": value.name, "kwargs": _marked(value.kwargs)}}
    if isinstance(value, BaseModel):
        return {_SECTION: {name: _marked(item) for name, item in value}}
    if isinstance(value, dict):
        return {str(name): _marked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return value


def has_patch(config: Config, section: str, function: str) -> bool:
    """Tell whether a patch script defines a function that takes the place of a section."""
    script = getattr(config.patch, section)
    return script is not None and patched(script, function) is not None
