"""Twenty random kills of one training through the real command line, each followed by a resume."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.crashes import moments
from tests.crashes.comparing import differences
from tests.zygote import ROOT

SEED = 20
EPOCHS = 50
KILLS = 20
# How many of the kills come when all epochs are trained.
LATE = 5
STEPS = {"train": 9, "valid": 9}
FILES = ("best.ckpt", "last.ckpt", "metrics.csv", "cases.csv", "epoch_*.png")
AFTERWARDS = ("valid", "test", "written *.nii.gz", "written case_*.png", "written cases.csv", "begin predictions.csv")


def draw(rng: random.Random) -> list[dict[str, Any]]:
    """Choose the moments: of the steps and the files of an epoch, or a random time after a step.

    They are counted in steps and epochs, so that the epochs suffice on a machine of any speed.
    """
    wishes: list[dict[str, Any]] = []
    for i in range(KILLS - LATE):
        kind = ("time", "step", "file")[i % 3]
        if kind == "time":
            wishes.append({"moment": "train", "nth": rng.randint(1, 6), "delay": rng.uniform(0, 0.05)})
        elif kind == "step":
            moment = rng.choice(list(STEPS))
            wishes.append({"moment": moment, "nth": rng.randint(1, STEPS[moment]), "delay": rng.uniform(0, 0.02)})
        else:
            stage = rng.choice(["begin", "written", "renamed"])
            name, nth = FILES[i // 3 % len(FILES)], rng.randint(1, 3)
            wishes.append({"moment": f"{stage} {name}", "nth": nth, "delay": rng.choice([0.0, rng.uniform(0, 0.01)])})
    late = rng.sample(AFTERWARDS, LATE - 2)
    wishes += [{"moment": moment, "nth": rng.randint(1, 2 if "csv" not in moment else 1)} for moment in late]
    # The first of these trains all epochs that are left; the report is the last that a run writes.
    return [
        *wishes[: KILLS - LATE],
        {"moment": "begin progress.gif"},
        *wishes[KILLS - LATE :],
        {"moment": "written report.html"},
    ]


def command(config: Path, root: Path, workers: int) -> list[str]:
    settings = [f"run.root={root}", f"data.num_workers={workers}", "--ckpt_path", "last"]
    return [sys.executable, "-m", "trainlib", "fit", "-c", str(config), *settings]


def rows(run: Path) -> int:
    table = run / "logs" / "metrics.csv"
    return len(table.read_text().splitlines()) - 1 if table.is_file() else 0


def kill(config: Path, run: Path, wish: dict[str, Any], workers: int) -> str:
    """Start the training, let it be killed, and tell what was hit."""
    plan = config.with_name("moment.json")
    plan.write_text(json.dumps(wish))
    before = rows(run)
    process = subprocess.Popen(command(config, run.parent, workers), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    _, errors = process.communicate(timeout=300)
    plan.unlink(missing_ok=True)
    assert process.returncode == -signal.SIGKILL, (wish, errors)
    left = sorted(path.name.split("-", 2)[2] for path in run.rglob(".writing-*"))
    return f"{json.dumps(wish)}  workers {workers}  epochs {before} -> {rows(run)}  half written: {left or 'nothing'}"


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_with_the_bits_of_an_uninterrupted_one(
    training: Path, tmp_path: Path
) -> None:
    shutil.copy(moments.__file__, tmp_path / "hook.py")
    content = yaml.safe_load(training.read_text())
    content |= {"trainer": {"max_epochs": EPOCHS}, "patch": {"model": str(tmp_path / "hook.py")}}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    subprocess.run(command(config, tmp_path / "straight", 0), cwd=ROOT, check=True)
    rng = random.Random(SEED)
    run = tmp_path / "runs" / "tiny"
    hits = [kill(config, run, wish, rng.choice([0, 2])) for wish in draw(rng)]
    print(*(f"{i:2d}  {hit}" for i, hit in enumerate(hits, 1)), sep="\n")  # noqa: T201
    assert len(hits) == KILLS
    subprocess.run(command(config, run.parent, 0), cwd=ROOT, check=True)
    assert [path.name for path in run.parent.iterdir() if not path.name.startswith(".")] == ["tiny"]
    assert differences(run, tmp_path / "straight" / "tiny") == []
    assert list(run.rglob(".writing-*")) == []
    assert (run / "report.html").read_text().rstrip().endswith("</html>")
