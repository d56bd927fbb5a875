"""Where a key stands: which file and line, or which word of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trainlib.config.nesting import LOADER

Key = tuple[str | int, ...]


def dotted(key: Key) -> str:
    """Write a key as the user does: ``transforms.train[1].RandFlipd.prob``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


@dataclass(frozen=True)
class Override:
    """A setting from the command line.

    Attributes:
        key: The key in parts.
        value: The value, parsed as YAML.
        written: The word as the user wrote it.
    """

    key: Key
    value: Any
    written: str


@dataclass(frozen=True)
class Sources:
    """The files and overrides a config was made from, in the order they were applied."""

    files: tuple[Path, ...] = ()
    overrides: tuple[Override, ...] = ()

    def locate(self, key: Key) -> str:
        """Find the place that a mistake at `key` should point to.

        Args:
            key: The key of the mistake; where it stands nowhere (it is missing), its nearest parent is taken.

        Returns:
            ``file:line``, ``command line`` or nothing when no source mentions any part of the key.
        """
        best, depth = "", 0
        for file in self.files:
            line, found = _line_of(file, key)
            if found >= max(depth, 1):
                best, depth = f"{file}:{line}", found
        for override in self.overrides:
            shared = _shared(override.key, key)
            if shared == min(len(override.key), len(key)) and shared >= depth:
                best, depth = "command line", len(key)
        return best or (str(self.files[-1]) if self.files else "")

    def values(self, section: str) -> Iterator[Any]:
        """Yield what each source that mentions a section says of it, those first that win."""
        for override in reversed(self.overrides):
            if override.key[0] == section:
                value = override.value
                for part in reversed(override.key[1:]):
                    value = {part: value}
                yield value
        for file in reversed(self.files):
            content = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=LOADER)
            if isinstance(content, dict) and section in content:
                yield content[section]


def _shared(one: Key, other: Key) -> int:
    """Count the leading parts that two keys have in common."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if str(a) != str(b):
            break
        count += 1
    return count


def _line_of(file: Path, key: Key) -> tuple[int, int]:
    """Walk along `key` as far as the file goes; return the line reached and how many parts were found."""
    node = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=LOADER)
    line, found = 1, 0
    for part in key:
        step = _child(node, part)
        if step is None:
            break
        line, node = step
        found += 1
    return line, found


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line and the node of one part of a key, or None where the file does not have it."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(part):
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    # A bare name stands for `{name: {}}`.
    if isinstance(node, yaml.ScalarNode) and node.value == str(part):
        return node.start_mark.line + 1, node
    return None
