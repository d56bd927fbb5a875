"""What lies where in a run folder."""

from __future__ import annotations

from pathlib import Path

from trainlib.folders.run import RunFolder


def test_files_of_a_run_lie_where_the_design_says() -> None:
    folder = RunFolder(Path("/r"))
    assert {
        name: str(getattr(folder, name)) for name in vars(RunFolder) if isinstance(vars(RunFolder)[name], property)
    } == {
        "config": "/r/config.yaml",
        "checkpoints": "/r/checkpoints",
        "best": "/r/checkpoints/best.ckpt",
        "last": "/r/checkpoints/last.ckpt",
        "logs": "/r/logs",
        "metrics": "/r/logs/metrics.csv",
        "log": "/r/logs/trainlib.log",
        "lock": "/r/.lock",
        "cases": "/r/cases.csv",
        "predictions": "/r/predictions",
        "pictures": "/r/pictures",
        "progress": "/r/progress",
        "frames": "[]",
        "gif": "/r/progress.gif",
        "emissions": "/r/emissions.csv",
        "report": "/r/report.html",
        "classification_report": "/r/classification_report.csv",
        "debug": "/r/debug",
        "snapshot": "/r/snapshot",
    }
