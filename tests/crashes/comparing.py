"""Compare two runs file by file, to the bit."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from trainlib.callbacks.epochs import SECONDS
from trainlib.folders.run import RunFolder

_WHEREABOUTS = tuple(f"trainlib.config.{key}" for key in ("run.root", "data.cache_dir", "data.num_workers"))


def differences(run: Path, other: Path) -> list[str]:
    """Name what differs between two run folders: every tensor and number, every row but its time, every picture."""
    folders = RunFolder(run), RunFolder(other)
    found = []
    for name in ("best", "last"):
        contents = [_load(folder, name) for folder in folders]
        found += [f"{name}.ckpt: {key}" for key in _unequal(*contents, "") if key not in _WHEREABOUTS]
    found += ["logs/metrics.csv"] if _rows(folders[0]) != _rows(folders[1]) else []
    for pattern in ("cases.csv", "progress.gif", "predictions/*", "progress/*", "pictures/*/*"):
        files, others = (_contents(folder.path, pattern) for folder in folders)
        assert others, f"{other} has no {pattern}"
        found += sorted(name for name in files.keys() | others.keys() if files.get(name) != others.get(name))
    return found


def _load(folder: RunFolder, name: str) -> Any:
    """Load a checkpoint; a path in it starts from its run folder."""
    content = torch.load(folder.checkpoints / f"{name}.ckpt", weights_only=True)
    return _moved(content, f"{folder.path}/")


def _moved(node: Any, root: str) -> Any:
    if isinstance(node, Mapping):
        return {_moved(key, root): _moved(value, root) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_moved(value, root) for value in node]
    return node.replace(root, "") if isinstance(node, str) else node


def _unequal(one: Any, other: Any, key: str) -> Iterator[str]:
    """Yield the keys of what differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys([*one, *other]):
            below = f"{key}.{name}" if key else str(name)
            if name in one and name in other:
                yield from _unequal(one[name], other[name], below)
            else:
                yield below
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, pair in enumerate(zip(one, other, strict=True)):
            yield from _unequal(*pair, f"{key}[{i}]")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if not torch.equal(one, other):
            yield key
    elif one != other:
        yield key


def _rows(folder: RunFolder) -> list[list[str]]:
    """Read the table of epochs without the time that each took."""
    rows = [line.split(",") for line in folder.metrics.read_text().splitlines()]
    assert rows[0][-1] == SECONDS
    return [row[:-1] for row in rows]


def _contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """Read files; of compressed ones what is in them, for their heads hold a time."""
    return {
        str(path.relative_to(folder)): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in folder.glob(pattern)
    }
