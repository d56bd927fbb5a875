"""A finished run is trained again from its snapshot, and what differs is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

from tests.conftest import TINY
from tests.test_resume import SLOW, start, wait_for_epochs
from trainlib import fit, load_config
from trainlib.callbacks import Record
from trainlib.callbacks.snapshot import names_of_copies
from trainlib.cli import app
from trainlib.commands.reproduce import REPETITION, process
from trainlib.commands.reproduce import repeat as repeating
from trainlib.commands.reproduce.data import check_data
from trainlib.commands.reproduce.original import Original, open_original
from trainlib.commands.reproduce.repeat import changed_settings, repeat, repetition_folder
from trainlib.commands.reproduce.scratch import scratch
from trainlib.commands.reproduce.starts import digest
from trainlib.config.load import dump_settings
from trainlib.data.fingerprint import CHANGED, TABLE, read_fingerprints, write_fingerprints
from trainlib.data.phantom import CLASSES
from trainlib.errors import ConfigError, DataError, InputError, Interrupted, TrainlibError
from trainlib.folders.run import RunFolder

Cli = Callable[..., subprocess.CompletedProcess[str]]

SCRIPT = """
class Doubled:
    def __init__(self): pass
    def __call__(self, data):
        return data | {"image": data["image"] * 2}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, phantom: Path) -> Path:
    """A run of two epochs with a patch script, which is gone by now."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "mine.py").write_text(SCRIPT)
    data: dict[str, Any] = {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")}
    data |= {"root": str(phantom), "classes": CLASSES, "num_workers": 0}
    transforms = TINY["transforms"] | {"train": [*TINY["transforms"]["train"], "Doubled"]}
    content = TINY | {
        "run": {"name": "tiny", "root": str(folder / "runs"), "overwrite": True},
        "data": data,
        "transforms": transforms,
        "patch": {"transforms": str(folder / "mine.py")},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    run = fit(load_config(path), record=Record(("trainlib", "fit", "-c", "config.yaml"), (path,)))
    (folder / "mine.py").unlink()
    return run.folder.path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be spoiled."""
    shutil.copytree(finished, tmp_path / "runs" / "tiny")
    return tmp_path / "runs" / "tiny"


@pytest.fixture
def data(phantom: Path, tmp_path: Path) -> Path:
    """A copy of the data, to be spoiled."""
    shutil.copytree(phantom, tmp_path / "data")
    return tmp_path / "data"


def rewrite(path: Path, **keys: Any) -> None:
    """Change settings, by dotted names with `__`, in a ``config.yaml``."""
    content = yaml.safe_load(path.read_text())
    for key, value in keys.items():
        *sections, name = key.split("__")
        node = content
        for section in sections:
            node = node[section]
        node[name] = value
    path.write_text(yaml.safe_dump(content))


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The weights of the last checkpoint."""
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


def invoke(*arguments: str | Path) -> Result:
    """Call `trainlib reproduce` in this process."""
    return CliRunner().invoke(app, ["reproduce", *map(str, arguments)], env={"COLUMNS": "160"})


def test_a_run_is_repeated_from_its_snapshot_alone_and_is_identical(run: Path, tmp_path: Path, cli: Cli) -> None:
    rewrite(run / "config.yaml", seed=7, trainer__max_epochs=3)  # which the repetition takes no notice of
    source = run / "snapshot" / "trainlib" / "__init__.py"
    source.write_text(source.read_text().replace('__version__ = "', '__version__ = "9.9.9 of '))
    elsewhere = tmp_path / "elsewhere"  # holds what must not be imported in place of the snapshot
    (elsewhere / "trainlib").mkdir(parents=True)
    (elsewhere / "trainlib" / "__init__.py").write_text("raise RuntimeError('the wrong one')")
    environment = run / "snapshot" / "environment.json"
    environment.write_text(json.dumps(json.loads(environment.read_text()) | {"working_directory": str(elsewhere)}))
    before = digest(run)

    done = cli("reproduce", run)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "identical"
    assert [line.split()[-1] for line in done.stdout.splitlines()[-4:-1]] == ["identical"] * 3
    assert "24 files" in done.stdout
    again = run.with_name("tiny_reproduced")
    assert json.loads((again / "snapshot/environment.json").read_text())["trainlib"].startswith("9.9.9 of ")
    assert (again / "cases.csv").read_bytes() == (run / "cases.csv").read_bytes()
    one, other = weights(run), weights(again)
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert not (again / "report.html").exists()
    assert (
        "note          config.yaml is not as the snapshot keeps it: seed (42, now 7), trainer.max_epochs" in done.stdout
    )
    for file in (
        again / "config.yaml",
        again / "snapshot/config.yaml",
    ):  # which name nothing that is gone, or elsewhere
        kept = load_config(file)
        assert (kept.seed, kept.data.cache_dir) == (42, None)
        assert kept.data.train_csv == str(again / "snapshot/csvs/train.csv")
        assert kept.patch.transforms == str(again / "snapshot/patches/mine.py")
        assert kept.data.root == load_config(run / "config.yaml").data.root
    assert sorted(path.name for path in run.parent.iterdir()) == ["tiny", "tiny_reproduced"]  # no cache is left
    assert digest(run) == before
    assert not list(run.rglob("__pycache__"))


@pytest.mark.slow
def test_a_snapshot_of_another_seed_differs(run: Path, cli: Cli) -> None:
    rewrite(run / "snapshot" / "config.yaml", seed=7)
    done = cli("reproduce", run, "--out", run.parent / "other")
    assert done.returncode == 1
    assert "config.yaml is not as the snapshot keeps it: seed (7, now 42)." in done.stdout
    assert done.stdout.splitlines()[-1] == "differs: metrics.csv, cases.csv, last.ckpt"
    assert "epoch 1, train/loss" in done.stdout
    assert (run.parent / "other" / "cases.csv").is_file()


@pytest.mark.slow
def test_a_run_that_was_killed_and_resumed_is_repeated_identically(
    write_config: Callable[..., Path], tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    path = write_config(
        transforms={"train": [*TINY["transforms"]["train"], "Sleepd"]},
        patch={"transforms": str(tmp_path / "slow.py")},
        trainer={"max_epochs": 4},
    )
    process, run = start(path), tmp_path / "runs" / "tiny"
    wait_for_epochs(process, run, 2)
    process.kill()
    process.communicate()
    assert cli("fit", "-c", path, "--ckpt_path", "last").returncode == 0
    done = cli("reproduce", run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The run was resumed once" in done.stdout
    assert "doubt" not in done.stdout


def repeated(monkeypatch: pytest.MonkeyPatch, run: Path, spoil: Callable[[Path], object]) -> Result:
    """Compare a run with a copy that was spoiled, in place of its repetition."""

    def copied(original: Original, out: Path, *, use_cache: bool = False) -> RunFolder:
        shutil.copytree(original.folder.path, out)
        spoil(out)
        return RunFolder(out)

    monkeypatch.setattr("trainlib.commands.reproduce.repeat.repeat", copied)
    return invoke(run)


def test_a_metric_that_differs_is_told_with_both_values(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(out: Path) -> None:
        lines = (out / "logs/metrics.csv").read_text().splitlines()
        cells = lines[2].split(",")
        cells[lines[0].split(",").index("train/loss")] = "0.125"
        (out / "logs/metrics.csv").write_text("\n".join([*lines[:2], ",".join(cells)]))

    done = repeated(monkeypatch, run, spoil)
    assert done.exit_code == 1
    [line] = [line for line in done.stdout.splitlines() if "epoch 2, train/loss" in line]
    assert line.split()[4] == "0.125"
    assert done.stdout.splitlines()[-1] == "differs: metrics.csv"


def test_weights_that_differ_are_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(out: Path) -> None:
        path = out / "checkpoints/last.ckpt"
        content = torch.load(path, weights_only=True)
        name = next(iter(content["state_dict"]))
        content["state_dict"][name].flatten()[0] += 0.5
        content["optimizer_states"] = []  # is left out of the comparison
        torch.save(content, path)

    done = repeated(monkeypatch, run, spoil)
    assert done.exit_code == 1
    assert "up to 0.5, in " in done.stdout
    assert done.stdout.splitlines()[-1] == "differs: last.ckpt"


def test_an_optimizer_of_another_state_is_no_difference(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(out: Path) -> None:
        content = torch.load(out / "checkpoints/last.ckpt", weights_only=True)
        torch.save(content | {"optimizer_states": []}, out / "checkpoints/last.ckpt")

    assert repeated(monkeypatch, run, spoil).exit_code == 0


def test_a_changed_data_file_is_named_before_anything_is_trained(run: Path, data: Path) -> None:
    file = next((data / "images").iterdir())
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    done = invoke(run, "--data-root", data)
    assert done.exit_code == 2
    assert f"{file} has changed since the run: it is as long as it was, but its SHA-256 is another." in done.stderr
    assert "or repeat the run with them as they are by --force" in done.stderr
    assert "1 changed" in done.stdout
    assert [path.name for path in run.parent.iterdir()] == ["tiny"]


def test_missing_and_changed_files_are_all_named_and_force_does_not_help(run: Path, data: Path) -> None:
    images = sorted((data / "images").iterdir())
    images[0].unlink()
    images[1].write_bytes(b"short")
    done = invoke(run, "--data-root", data, "--force")
    assert done.exit_code == 2
    assert f"{images[0]} is missing." in done.stderr
    assert f"{images[1]} has changed since the run: it had" in done.stderr
    assert "--data-root" in done.stderr


def test_changed_files_are_accepted_by_force(run: Path, data: Path) -> None:
    next((data / "images").iterdir()).write_bytes(b"short")
    check = check_data(open_original(run, data))
    assert len(check.changed) == 1
    check.refuse(force=True)
    with pytest.raises(DataError, match="has changed since the run"):
        check.refuse()


def test_data_that_were_moved_are_found_again(run: Path, data: Path) -> None:
    check = check_data(open_original(run, data))
    assert (check.files, check.missing, check.changed, check.unknown) == (24, [], [], [])
    assert check.bytes == sum(file.stat().st_size for file in data.rglob("*.nii.gz"))


def test_a_data_root_that_is_gone_is_one_sentence(run: Path, tmp_path: Path) -> None:
    done = invoke(run, "--data-root", tmp_path / "nowhere")
    assert done.exit_code == 2
    assert done.stderr == (
        f"data.root: there is no folder {tmp_path}/nowhere. Say with --data-root where the data are now.\n"
    )


def test_without_hashes_it_is_told_that_changes_are_not_known(run: Path, data: Path) -> None:
    (run / "snapshot" / TABLE).unlink()
    next((data / "images").iterdir()).write_bytes(b"short")
    original = open_original(run, data)
    assert any("keeps no hashes of the data files" in remark for remark in original.remarks)
    check = check_data(original)
    assert (len(check.unknown), check.changed) == (24, [])


def cut_off(run: Path) -> None:
    rows = (run / "logs/metrics.csv").read_text().splitlines()
    (run / "logs/metrics.csv").write_text("\n".join(rows[:2]))


def untested(run: Path) -> None:
    rows = (run / "cases.csv").read_text().splitlines()
    (run / "cases.csv").write_text("\n".join(row for row in rows if not row.startswith("test")))


def continued_from_elsewhere(run: Path) -> None:
    rows = (run / "logs/metrics.csv").read_text().splitlines()
    (run / "logs/metrics.csv").write_text("\n".join([rows[0], rows[2]]))


REFUSED: list[tuple[Callable[[Path], Any], str]] = [
    (lambda run: (run / "config.yaml").unlink(), "is not a run folder: it has no config.yaml"),
    (lambda run: shutil.rmtree(run / "snapshot"), "nothing was trained in this folder"),
    (lambda run: (run / "snapshot/command.txt").write_text("trainlib fit --debug"), "a trial of `fit --debug`"),
    (lambda run: (run / "debug").mkdir(), "a trial of `fit --debug`"),
    (cut_off, "Only a finished run can be repeated and compared; continue it with `trainlib fit -c"),
    (untested, "the run has not been tested yet"),
    (continued_from_elsewhere, "its first epoch is number 2: it went on from a checkpoint of elsewhere"),
    (lambda run: (run / "checkpoints/last.ckpt").unlink(), "no checkpoints/last.ckpt"),
    (lambda run: (run / "snapshot/config.yaml").unlink(), "the snapshot lacks snapshot/config.yaml"),
    (lambda run: shutil.rmtree(run / "snapshot/trainlib"), "the snapshot lacks snapshot/trainlib/__init__.py"),
    (lambda run: (run / "snapshot/csvs/valid.csv").unlink(), "the snapshot lacks snapshot/csvs/valid.csv"),
    (lambda run: (run / "snapshot/patches/mine.py").unlink(), "the snapshot lacks snapshot/patches/mine.py"),
]


@pytest.mark.parametrize(("spoil", "sentence"), REFUSED, ids=[sentence[:40] for _, sentence in REFUSED])
def test_a_run_that_cannot_be_repeated_is_refused_in_a_sentence(
    run: Path, spoil: Callable[[Path], Any], sentence: str
) -> None:
    spoil(run)
    done = invoke(run)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_existing_folder_is_not_written_into(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"--out: .* exists already\. Name a new folder"):
        repetition_folder(open_original(run), run)


def test_a_folder_whose_name_is_none_for_a_run_is_refused_at_once(run: Path) -> None:
    done = invoke(run, "--out", run.parent / ".hidden")
    assert done.exit_code == 2
    assert done.stderr == "--out: .hidden is no name for a run, for it begins with a dot.\n"
    assert done.stdout == ""


def test_a_place_that_cannot_be_written_into_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match="nothing can be written into"):
        repeat(open_original(run), tmp_path / "file" / "again")


def test_the_next_free_number_is_taken(run: Path) -> None:
    original = open_original(run)
    assert repetition_folder(original).name == "tiny_reproduced"
    run.with_name("tiny_reproduced").mkdir()
    assert repetition_folder(original).name == "tiny_reproduced_2"


def test_only_places_change_and_what_sends_or_draws_is_switched_off(run: Path) -> None:
    rewrite(run / "snapshot/config.yaml", pushover={"credentials": "/nowhere/pushover.yaml"})
    original = open_original(run)
    changes = changed_settings(original, run.parent / "again", Path("/tmp/cache"))
    csvs = {f"{split}_csv": str(run / f"snapshot/csvs/{split}.csv") for split in ("train", "valid", "test")}
    assert changes == {
        "run": {"name": "again", "root": str(run.parent), "overwrite": False},
        "data": {"root": original.config.data.root, **csvs, "predict_csv": None, "cache_dir": "/tmp/cache"},
        "patch": {"transforms": str(run / "snapshot/patches/mine.py")},
        **dict.fromkeys(("progress", "report", "emissions", "pushover")),
    }


def test_settings_that_the_run_did_not_know_are_left_out(run: Path) -> None:
    content = yaml.safe_load((run / "snapshot/config.yaml").read_text())
    del content["emissions"], content["data"]["predict_csv"], content["run"]["overwrite"]
    (run / "snapshot/config.yaml").write_text(yaml.safe_dump(content))
    changes = changed_settings(open_original(run), run.parent / "again", Path("/tmp/cache"))
    assert "emissions" not in changes
    assert "predict_csv" not in changes["data"]
    assert "overwrite" not in changes["run"]


def test_paths_with_a_dollar_are_read_as_they_stand(write_config: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "changes.yaml").write_text(dump_settings({"run": {"root": "/a/${b}: c"}}))
    assert load_config([write_config(), tmp_path / "changes.yaml"]).run.root == "/a/${b}: c"


def test_relative_paths_start_from_the_working_directory_of_the_run(run: Path, data: Path) -> None:
    rewrite(run / "snapshot/config.yaml", data__root="data")
    environment = run / "snapshot" / "environment.json"
    facts = json.loads(environment.read_text()) | {"working_directory": str(data.parent)}
    environment.write_text(json.dumps(facts))
    original = open_original(run)
    assert original.config.data.root == str(data)
    assert original.directory == data.parent
    assert check_data(original).missing == []


def resume(run: Path, **keys: Any) -> Path:
    """Add the snapshot of a resumption with other settings, as `fit --ckpt_path last` does."""
    later = run / "snapshot" / "resumed"
    names = ("trainlib", "csvs", "patches")
    for name in names:
        shutil.copytree(run / "snapshot" / name, later / name)
    for name in ("config.yaml", "environment.json", "requirements.txt", "command.txt"):
        shutil.copy(run / "snapshot" / name, later / name)
    rewrite(later / "config.yaml", **keys)
    shutil.copy(later / "config.yaml", run / "config.yaml")
    return later


def test_a_run_resumed_as_it_was_leaves_no_doubt_and_is_repeated_as_started_last(run: Path) -> None:
    later = resume(run, run__root="/elsewhere", data__num_workers=4)
    original = open_original(run)
    assert original.doubts == []
    assert original.start == later
    assert original.config.data.train_csv == str(later / "csvs" / "train.csv")
    assert any("resumed once" in remark for remark in original.remarks)


def test_what_changed_between_the_starts_is_told(run: Path) -> None:
    later = resume(run, seed=43, optimizer__AdamW__lr=0.02)
    (later / "csvs" / "train.csv").write_text("image,label\n")
    (later / "trainlib" / "run.py").write_text("")
    environment = json.loads((later / "environment.json").read_text()) | {"cpu": "another"}
    (later / "environment.json").write_text(json.dumps(environment))
    doubts = open_original(run).doubts
    assert doubts[0] == "It was resumed with other settings: optimizer.AdamW.lr (0.01, then 0.02), seed (42, then 43)."
    assert doubts[1] == "Before it was resumed, the CSV files and trainlib itself changed."
    assert doubts[2].startswith("It was resumed in another environment: cpu (")


def test_other_doubts_are_told(run: Path) -> None:
    rewrite(run / "snapshot/config.yaml", trainer__max_time="00:00:10:00")
    rows = [*read_fingerprints(run / "snapshot" / TABLE).values()]
    rows[0] = type(rows[0])(**{**vars(rows[0]), "note": CHANGED})
    write_fingerprints(run / "snapshot" / TABLE, rows)
    environment = json.loads((run / "snapshot/environment.json").read_text()) | {"gpus": ["NVIDIA A100"]}
    (run / "snapshot/environment.json").write_text(json.dumps(environment))
    text = " ".join(open_original(run).doubts)
    assert "trainer.max_time ended the run by the clock" in text
    assert f"Data files changed between the starts of the run: {rows[0].path}." in text
    assert "on a GPU without trainer.deterministic: true" in text


def test_the_limit_of_cases_is_told(run: Path) -> None:
    rewrite(run / "snapshot/config.yaml", data__limit_cases=3)
    assert any("the first 3 cases of each split" in remark for remark in open_original(run).remarks)


def test_an_edit_of_the_config_beside_the_snapshot_is_a_note_alone(run: Path) -> None:
    rewrite(run / "config.yaml", seed=7, optimizer={"SGD": {"lr": 0.1}}, data__num_workers=3, model={3: 4})
    original = open_original(run)
    assert original.config.seed == original.settings["seed"] == 42
    assert list(original.config.optimizer.kwargs) == ["lr"]
    [remark] = original.remarks
    assert remark.startswith("config.yaml is not as the snapshot keeps it: model (UNet(channels=[4, 8], ")
    assert "now 3), optimizer (AdamW(lr=0.01), now SGD(lr=0.1)), seed (42, now 7)" in remark
    assert "num_workers" not in remark
    assert original.doubts == []


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (2, InputError, "The repetition was refused, for the reasons above"),
        (1, TrainlibError, "The repetition failed with exit status 1"),
        (-9, TrainlibError, "The repetition was ended by signal 9"),
    ],
)
def test_a_repetition_that_fails_is_told(
    run: Path, monkeypatch: pytest.MonkeyPatch, status: int, error: type[TrainlibError], sentence: str
) -> None:
    monkeypatch.setattr(repeating, "run_snapshot", lambda original, arguments, scratch: status)
    with pytest.raises(error, match=sentence):
        repeat(open_original(run), run.parent / "again")
    assert [path.name for path in run.parent.iterdir()] == ["tiny"]


def test_another_package_in_place_of_the_snapshot_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", process._PROGRAM, str(tmp_path / "trainlib"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"The code of the snapshot is in {tmp_path}/trainlib, but" in done.stderr


def test_the_threads_are_those_of_the_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = json.loads((run / "snapshot/environment.json").read_text()) | {"threads": 3}
    (run / "snapshot/environment.json").write_text(json.dumps(facts))
    (run / "snapshot/trainlib/cli").joinpath("__init__.py").write_text(
        "import os, sys\ndef main(): sys.exit(int(os.environ['OMP_NUM_THREADS']) + 40)\n"
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(TrainlibError, match="exit status 43"):
        repeat(open_original(run), run.parent / "again")


WAITING = """
import os, pathlib, signal, sys, time
def main():
    place = pathlib.Path(sys.argv[3]).parents[1]  # the run, whose snapshot holds the config
    (place.parent / "tiny_reproduced").mkdir()
    def end(*_):
        (place / "ended").touch()
        sys.exit(143)
    signal.signal(signal.SIGTERM, end)
    (place / "part").write_text(str(os.getpid()))
    (place / "part").rename(place / "started")
    time.sleep(60)
"""


def begun(run: Path) -> subprocess.Popen[str]:
    """Start a repetition that waits for a signal, and wait until it does."""
    (run / "snapshot/trainlib/cli/__init__.py").write_text(WAITING)
    command = [sys.executable, "-m", "trainlib", "reproduce", str(run), "--force"]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (run / "started").exists():
        assert started.poll() is None
        time.sleep(0.1)
    return started


def test_a_signal_ends_the_repetition_too_and_leaves_no_cache(run: Path) -> None:
    started = begun(run)
    started.terminate()
    _, told = started.communicate(timeout=60)
    assert started.returncode == 143
    assert (run / "ended").exists()
    again = run.with_name("tiny_reproduced")
    assert sorted(path.name for path in run.parent.iterdir()) == ["tiny", "tiny_reproduced"]
    assert told == f"Interrupted. Run `trainlib reproduce {run} --force` again; what was trained is in {again}.\n"


def test_what_a_killed_repetition_left_is_removed_by_the_next_when_its_process_is_gone_too(run: Path) -> None:
    started = begun(run)
    [left] = run.parent.glob(".reproducing-*")
    pid = int((run / "started").read_text())
    started.kill()
    started.wait()
    assert started.stderr is not None
    started.stderr.close()
    with scratch(run.parent) as place:
        assert left.is_dir()  # the training itself goes on, and uses it
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.05)
        with scratch(run.parent) as other:
            assert not left.exists()
            assert place.path.is_dir()
            assert other.path.is_dir()
    assert list(run.parent.glob(".reproducing-*")) == []


def test_a_repetition_leaves_the_advice_on_how_to_go_on_to_its_parent(
    tmp_path: Path,
    write_config: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise_signal = Interrupted(signal.SIGTERM)
        raise_signal.checkpoint = tmp_path / "last.ckpt"
        raise raise_signal

    monkeypatch.setattr("trainlib.run.fit", interrupted)
    words = ["fit", "-c", str(write_config())]
    alone = CliRunner().invoke(app, words)
    assert (alone.exit_code, "Interrupted. It goes on with:" in alone.stderr) == (143, True)
    below = CliRunner().invoke(app, words, env={REPETITION: "1"})
    assert (below.exit_code, below.stderr) == (143, "")


def test_where_ctrl_c_cannot_be_passed_on_the_repetition_is_waited_for(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []

    class Process:
        def wait(self) -> int:
            waited.append(True)
            if len(waited) == 1:
                raise Interrupted(signal.SIGINT)
            return 0

        def send_signal(self, number: int) -> None:
            raise ValueError(f"Unsupported signal: {number}")  # as on Windows

    monkeypatch.setattr(process.subprocess, "Popen", lambda *_, **__: Process())
    with pytest.raises(Interrupted):
        repeat(open_original(run), run.parent / "again")
    assert len(waited) == 2


def test_copies_of_files_that_share_a_name_do_not_overwrite_each_other() -> None:
    files = [Path("a/p.py"), Path("a/p.py"), Path("b/q.py"), Path("c/q.py")]
    names = names_of_copies(files)
    assert list(names) == [Path("a/p.py"), Path("b/q.py"), Path("c/q.py")]
    assert np.unique(list(names.values())).size == 3
    assert names[Path("b/q.py")] == "q.py"
