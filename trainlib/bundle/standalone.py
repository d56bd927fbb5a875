"""The source of a patch script without trainlib, which annotations alone may name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from trainlib.errors import PatchError

Import = ast.Import | ast.ImportFrom


def standalone(path: Path) -> str:
    """Return the source of a patch script with stand-ins for what annotations take from trainlib.

    Raises:
        PatchError: It needs trainlib for more than that.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    used = _used_at_run_time(tree)
    lines = source.encode().splitlines(keepends=True)  # columns of the syntax tree count bytes
    # From the last to the first, so that the lines of the others stay where they are.
    for node in sorted(_imports_of_trainlib(tree), key=lambda node: node.lineno, reverse=True):
        names, kept = _apart(node)
        if busy := [name for name in names if name in used or name == "*"]:
            raise PatchError(
                f"{path}:{node.lineno}: a bundle must run without trainlib, and {_said(busy[0])} comes from it. Write "
                "out what the script needs of it."
            )
        statements = [f"{name} = object" for name in names] + ([f"import {', '.join(kept)}"] if kept else [])
        _replace(lines, node, "; ".join(statements).encode())
    return b"".join(lines).decode()


def imported(source: str) -> list[str]:
    """List the packages that a source imports, at any place, by their top-level names."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return sorted(found)


def _is_ours(name: str | None) -> bool:
    return (name or "").partition(".")[0] == "trainlib"


def _imports_of_trainlib(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        names: list[str | None] = []
        if isinstance(node, ast.ImportFrom):
            names = [] if node.level else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if any(map(_is_ours, names)):
            assert isinstance(node, Import)
            yield node


def _apart(node: Import) -> tuple[list[str], list[str]]:
    """Divide an import into the names that it takes from trainlib, and what it imports besides."""
    ours = node.names if isinstance(node, ast.ImportFrom) else [a for a in node.names if _is_ours(a.name)]
    names = [alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else "trainlib") for alias in ours]
    return names, [ast.unparse(alias) for alias in node.names if alias not in ours]


def _said(name: str) -> str:
    return "all that is imported with *" if name == "*" else name


def _replace(lines: list[bytes], node: Import, text: bytes) -> None:
    """Put a text in the place of a statement; the number of lines stays the same."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    lines[first : last + 1] = [before + text + after, *[b"\n"] * (last - first)]


def _used_at_run_time(tree: ast.Module) -> set[str]:
    """List the names that a script reads when it runs: anywhere but in annotations, which a stand-in satisfies.

    It has no attributes, though, which are looked up in annotations that are evaluated.
    """
    annotations: set[int] = set()
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            annotation = getattr(node, name, None)
            if isinstance(annotation, ast.AST):
                annotations |= {id(inner) for inner in ast.walk(annotation)}
    used = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in annotations
    }
    if not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        bases = [node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) in annotations]
        used |= {node.id for node in bases if isinstance(node, ast.Name)}
    return used
