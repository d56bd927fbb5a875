"""The report of an ensemble: its folder in, one self-contained ``report.html`` out."""

from __future__ import annotations

from pathlib import Path


def write_ensemble_report(path: str | Path) -> Path:
    """Write ``report.html`` into the folder of an ensemble, from what the folder holds alone.

    Args:
        path: The folder. Whatever it lacks, the report tells.

    Returns:
        The report.

    Raises:
        ConfigError: It is no such folder, or none of its members was begun.
    """
    from trainlib.report.ensemble.load import read_ensemble_content
    from trainlib.report.ensemble.page import render_ensemble
    from trainlib.system.files import write_text

    content = read_ensemble_content(Path(path))
    write_text(content.ensemble.folder.report, render_ensemble(content))
    return content.ensemble.folder.report
