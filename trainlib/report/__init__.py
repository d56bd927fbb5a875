"""The report of a run: its folder in, one self-contained ``report.html`` out."""

from __future__ import annotations

from pathlib import Path

from trainlib.folders.run import RunFolder
from trainlib.system.files import write_text


def write_report(path: str | Path) -> Path:
    """Write ``report.html`` into a run folder, from what the folder holds alone, and the tables of its task.

    Args:
        path: The run folder. Whatever it lacks, the report tells.

    Returns:
        The report.

    Raises:
        ConfigError: It is no run folder, or its ``config.yaml`` is no config at all.
    """
    from trainlib.folders.ensemble import is_ensemble
    from trainlib.folders.search import is_search
    from trainlib.report.ensemble import write_ensemble_report
    from trainlib.report.search import write_search_report

    if is_search(path):
        return write_search_report(path)
    if is_ensemble(path):
        return write_ensemble_report(path)
    from trainlib.drawing.animation import write_gif
    from trainlib.report.load import read_content
    from trainlib.report.page import render
    from trainlib.report.tasks import TASK_PARTS

    folder = RunFolder(Path(path))
    if _lacks_pictures(folder):  # a killed process could not write its GIF
        write_gif(folder.frames, folder.gif)
    content = read_content(folder.path)
    part = TASK_PARTS[content.config.task](content)
    write_text(content.folder.report, render(content, part))
    part.write_tables()
    return content.folder.report


def _lacks_pictures(folder: RunFolder) -> bool:
    """Tell whether there are progress pictures that the GIF does not show, or whether there is no GIF of them."""
    if not (frames := folder.frames):
        return False
    return not folder.gif.is_file() or folder.gif.stat().st_mtime < frames[-1].stat().st_mtime
