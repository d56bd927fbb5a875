"""The import direction of the design: a part imports only parts above it, and there is no circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import trainlib

PACKAGE = Path(trainlib.__file__).parent
ORDER = [
    "errors",
    "suggest",
    "words",
    "system",
    "processes",
    "seeding",
    "weights",
    "config",
    "device",
    "memory",
    "build",
    "metrics",
    "drawing",
    "data",
    "tasks",
    "folders",
    "checkpoints",
    "agreement",
    "places",
    "contradictions",
    "preflight",
    "check",
    "ending",
    "trainer",
    "start",
    "debug",
    "callbacks",
    "report",
    "run",
    "bundle",
    "cluster",
    "ensemble",
    "tune",
    "commands",
    "viewer",
    "cli",
    "__main__",
]


def imports() -> Iterator[tuple[Path, str, str]]:
    """Yield file, importing part and imported part of every import of trainlib in itself."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                names = [f"{module}.{alias.name}" for alias in node.names] if module == "trainlib" else [module]
            for name in names:
                parts = name.split(".")
                if parts[0] == "trainlib" and len(parts) > 1 and parts[1] != "__version__":
                    yield path, part, parts[1]


def test_every_part_stands_in_the_order() -> None:
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert parts - {"__init__"} <= set(ORDER)


def test_a_part_imports_only_parts_above_it() -> None:
    found = [(path.name, other) for path, part, other in imports() if ORDER.index(other) > ORDER.index(part)]
    assert found == []


def test_data_and_tasks_do_not_know_each_other() -> None:
    pairs = {(part, other) for _, part, other in imports()}
    assert ("data", "tasks") not in pairs
    assert ("tasks", "data") not in pairs
    assert ("callbacks", "tasks") not in pairs


def test_no_circle_between_modules() -> None:
    edges: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(["trainlib", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        edges[module] = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and id(node) not in guarded
        }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for other in edges.get(module, set()) & edges.keys():
                visit(other, (*trail, module))
            done.add(module)

    for module in edges:
        visit(module, ())


def test_only_config_imports_omegaconf() -> None:
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if "import omegaconf" in (text := path.read_text(encoding="utf-8")) or "from omegaconf" in text
    }
    assert users == {"config"}


def test_importing_trainlib_does_not_import_torch() -> None:
    code = "import sys, trainlib, trainlib.cli; assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
