"""The report of a search."""

from __future__ import annotations

from pathlib import Path


def write_search_report(path: str | Path) -> Path:
    """Write nothing yet."""
    return Path(path)
