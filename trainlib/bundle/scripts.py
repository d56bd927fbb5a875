"""The code that a bundle brings along: patch scripts, and what a patched network is built from."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trainlib.build.patches import patched
from trainlib.bundle.packed import probabilities, saving
from trainlib.bundle.references import SAVING, SCRIPTS, TABLE
from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.errors import PatchError
from trainlib.system.files import write_text

log = logging.getLogger(__name__)

_SETTINGS = "settings.json"
_SECTION = "_section_"
_PACKED = {SAVING: saving, TABLE: probabilities}
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
    sources = _sources(config, used)
    sources += [Path(str(module.__file__)) for target, module in _PACKED.items() if target in used]
    if not sources:
        return []
    target = folder / SCRIPTS
    for path in sources:
        write_text(target / path.name, standalone(path))
    write_text(target / "__init__.py", '"""The code that the configs of this bundle refer to."""\n')
    if f"{SCRIPTS}.network.build_network" in used:
        module = Path(str(config.patch.model)).stem
        write_text(target / "network.py", _NETWORK.format(module=module))
        write_text(target / _SETTINGS, json.dumps(settings(config), indent=2) + "\n")
    return sorted(path.name for path in target.iterdir())


def _sources(config: Config, used: set[str]) -> list[Path]:
    """List the patch scripts that are referred to."""
    wanted = []
    for section, script in config.patch:
        if script is None:
            continue
        of_network = section == "model" and f"{SCRIPTS}.network.build_network" in used
        if of_network or any(name.startswith(f"{SCRIPTS}.{Path(script).stem}.") for name in used):
            wanted.append(Path(script))
    unique = list(dict.fromkeys(wanted))
    names = [path.name for path in unique]
    for path in unique:
        if names.count(path.name) > 1 or path.name in ("network.py", "saving.py", "probabilities.py", "__init__.py"):
            raise PatchError(f"patch: the scripts of a bundle lie in one folder, and {path} needs another name there.")
    return unique


def standalone(path: Path) -> str:
    """Return the source of a patch script without what only annotations take from trainlib.

    Raises:
        PatchError: It needs trainlib for more than that.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    for node in [*ast.walk(tree)]:
        if not _imports_trainlib(node):
            continue
        assert isinstance(node, ast.Import | ast.ImportFrom)
        names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        if busy := [name for name in names if name in _used_at_run_time(tree)]:
            raise PatchError(
                f"{path}:{node.lineno}: a bundle must run without trainlib, and {busy[0]} comes from it. Write out "
                "what the script needs of it."
            )
        indent = " " * node.col_offset
        stand_ins = "; ".join(f"{name} = object" for name in names)
        lines[node.lineno - 1] = f"{indent}{stand_ins}  # of trainlib, for annotations alone\n"
        for i in range(node.lineno, node.end_lineno or node.lineno):
            lines[i] = ""
    return "".join(lines)


def _imports_trainlib(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] == "trainlib"
    return isinstance(node, ast.Import) and any(a.name.partition(".")[0] == "trainlib" for a in node.names)


def _used_at_run_time(tree: ast.Module) -> set[str]:
    """List the names that a script uses anywhere but in annotations."""
    annotations: set[int] = set()
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            annotation = getattr(node, name, None)
            if isinstance(annotation, ast.AST):
                annotations |= {id(inner) for inner in ast.walk(annotation)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in annotations}


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
