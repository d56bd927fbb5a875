"""What a resumed run does with a run folder that something other than trainlib has damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.crashes.comparing import differences
from tests.zygote import Ended, Zygote
from trainlib.folders.run import RunFolder


@pytest.fixture(scope="module")
def killed(zygote: Zygote, training: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in its third epoch, when the row of the epoch was written."""
    root = tmp_path_factory.mktemp("killed")
    strike = {"moment": "renamed metrics.csv", "nth": 3, "number": SIGKILL}
    assert zygote.run("fit", "-c", training, f"run.root={root}", strike=strike).status == -SIGKILL
    return root / "tiny"


@pytest.fixture
def run(killed: Path, tmp_path: Path) -> RunFolder:
    """A copy of it to damage."""
    return RunFolder(Path(shutil.copytree(killed, tmp_path / "tiny")))


def resume(zygote: Zygote, training: Path, run: RunFolder, which: str = "last") -> Ended:
    return zygote.run("fit", "-c", training, f"run.root={run.path.parent}", "--ckpt_path", which)


def times(run: RunFolder) -> dict[Path, int]:
    """When each file of a run was changed; the lock says who looked at it last."""
    return {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path != run.lock}


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_without_the_last_checkpoint_the_best_is_named_and_leads_to_the_same_bits(
    zygote: Zygote, training: Path, straight: Path, run: RunFolder, damage: str
) -> None:
    if damage == "missing":
        run.last.unlink()
        found = f"--ckpt_path last: there is no checkpoint {run.last}. "
    else:
        run.last.write_bytes(run.last.read_bytes()[:5000])
        found = f"--ckpt_path: {run.last} cannot be read as a checkpoint; it is damaged or of another kind "
    before = times(run)
    ended = resume(zygote, training, run)
    assert ended.status == 2
    assert ended.errors.startswith(found)
    remedy = (
        f"Go on after epoch 2, which is whole, with --ckpt_path {run.best}; or leave --ckpt_path out to train anew in "
        "a new folder.\n"
    )
    assert ended.errors.endswith(remedy)
    assert times(run) == before
    which = "best" if damage == "missing" else str(run.best)
    assert resume(zygote, training, run, which).status == 0
    # The best checkpoint knew of no last one when it was written.
    known = ["best.ckpt: callbacks.MovableCheckpoint{'monitor': None, 'mode': 'min'}.best_model_path"]
    assert differences(run.path, straight) == (known if damage == "missing" else [])


def test_without_any_checkpoint_nothing_is_written_over(zygote: Zygote, training: Path, run: RunFolder) -> None:
    shutil.rmtree(run.checkpoints)
    before = run.metrics.read_bytes()
    ended = resume(zygote, training, run)
    assert ended.status == 2
    assert ended.errors == (
        f"--ckpt_path last: there is no checkpoint {run.last}. {run.path} has no other checkpoint that can be read: "
        "leave --ckpt_path out to train anew in a new folder.\n"
    )
    assert run.metrics.read_bytes() == before


def test_torn_tables_go_on_without_their_torn_lines(
    zygote: Zygote, training: Path, straight: Path, run: RunFolder
) -> None:
    run.metrics.write_bytes(run.metrics.read_bytes()[:-40])  # of the third epoch, which is trained again
    run.cases.write_bytes(run.cases.read_bytes()[:-5])
    ended = resume(zygote, training, run)
    assert ended.status == 0, ended.errors
    assert f"{run.metrics}: 1 line is torn and left out.\n" in ended.out
    assert differences(run.path, straight) == []


def test_a_lost_config_comes_back_from_the_snapshot(
    zygote: Zygote, training: Path, straight: Path, run: RunFolder
) -> None:
    run.config.unlink()
    ended = resume(zygote, training, run)
    assert ended.status == 0, ended.errors
    assert f"{run.config} was missing; it is that of the snapshot again.\n" in ended.out
    assert [path.name for path in run.path.parent.glob("tiny*")] == ["tiny"]
    assert differences(run.path, straight) == []


def test_a_run_without_any_config_is_not_begun_anew(zygote: Zygote, training: Path, run: RunFolder) -> None:
    run.config.unlink()
    (run.snapshot / "config.yaml").unlink()
    ended = resume(zygote, training, run)
    assert ended.status == 2
    assert ended.errors == (
        f"{run.path} has checkpoints, but no config.yaml, so that it cannot be told whether it is a run of tiny. Put "
        f"its config back as {run.config}, or name the checkpoint to go on from.\n"
    )
