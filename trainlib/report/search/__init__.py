"""The report of a search: its folder in, one self-contained ``report.html`` out."""

from __future__ import annotations

from pathlib import Path

from trainlib.system.files import write_text


def write_search_report(path: str | Path) -> Path:
    """Write ``report.html`` into the folder of a search, from what the folder holds alone.

    Args:
        path: The folder.

    Returns:
        The report.

    Raises:
        ConfigError: It is the folder of no search, or none of its trials has begun.
    """
    from trainlib.report.search.load import read_search_content
    from trainlib.report.search.page import render_search

    content = read_search_content(path)
    write_text(content.search.folder.report, render_search(content))
    return content.search.folder.report
