"""Read files that may be absent, half-written by a full disk, or changed by hand."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/gif": b"GIF8"}


class UnreadableError(Exception):
    """A file cannot be used; the message is a sentence for the report."""


@dataclass(frozen=True)
class Picture:
    """A picture that stands in the page itself.

    Attributes:
        uri: Its bytes as a data URI.
        width: Pixels.
        height: Pixels.
    """

    uri: str
    width: int
    height: int


def read_table(
    read: Callable[[], pd.DataFrame],
    name: str,
    needed: Sequence[str],
    numbers: Callable[[str], bool],
    *,
    finite: bool = False,
) -> pd.DataFrame:
    """Read a table and check its columns.

    Args:
        read: Reads it.
        name: What it is called, for the message.
        needed: Columns that it must have.
        numbers: Tells by its name whether a column must hold numbers; an empty cell is nan.
        finite: Whether infinity is no such number.

    Raises:
        UnreadableError: It is absent, no table, empty, or lacks what is needed.
    """
    try:
        table = read()
    except FileNotFoundError:
        raise UnreadableError(f"There is no {name}.") from None
    except (OSError, ValueError) as error:  # pandas' own errors and wrong encodings are ValueErrors
        raise UnreadableError(f"{name} cannot be read: {_sentence(error)}") from None
    if missing := [column for column in needed if column not in table]:
        raise UnreadableError(f"{name} cannot be used: it has no column {missing[0]}.")
    if table.empty:
        raise UnreadableError(f"{name} holds no row.")
    for column in filter(numbers, table.columns):
        try:
            table[column] = pd.to_numeric(table[column]).astype(float)
        except (ValueError, TypeError) as error:
            raise UnreadableError(f"{name} cannot be used: column {column}: {_sentence(error)}") from None
        if finite and np.isinf(table[column]).any():
            raise UnreadableError(f"{name} cannot be used: column {column} holds an infinite number.")
    return table


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") + "."


def read_text(path: Path) -> str:
    """Read a text; an absent or unreadable one is empty."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON object; an absent or broken one is empty."""
    try:
        content = json.loads(read_text(path))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def count_rows(path: Path) -> int | None:
    """Count the rows of a CSV that hold anything; None where it cannot be read."""
    try:
        return len(pd.read_csv(path, dtype=str, encoding="utf-8-sig", index_col=False).dropna(how="all"))
    except (OSError, ValueError):
        return None


def read_picture(path: Path, within: Path, kind: str) -> Picture | None:
    """Read a picture to put it into the page.

    Args:
        path: The file; its name may come from a table.
        within: Folder that it must lie in, wherever `path` leads.
        kind: Its media type, which its first bytes must agree with.

    Returns:
        The picture; None where there is none.
    """
    try:
        if not path.resolve().is_relative_to(within.resolve()):
            return None
        content = path.read_bytes()
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return None
    if not content.startswith(_SIGNATURES[kind]) or len(content) < 24:
        return None
    size = struct.unpack(">II", content[16:24]) if kind == "image/png" else struct.unpack("<HH", content[6:10])
    return Picture(f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}", *size)
