"""`trainlib check`: what it prints, in which order, and its exit status; and what `trainlib fit` catches of it."""

from __future__ import annotations

import json
import logging
import os
import pty
import shutil
import subprocess
import sys
import termios
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from trainlib.cli import app
from trainlib.data.phantom import make_classification_dataset

WriteConfig = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture
def run() -> Iterator[Run]:
    """Run a command in this process, and put back what it sets for a whole process."""
    logger = logging.getLogger("trainlib")
    before = (logger.handlers[:], logger.level, logger.propagate)
    with warnings.catch_warnings():
        yield lambda *words, columns=200: CliRunner().invoke(
            app, [str(word) for word in words], env={"COLUMNS": str(columns)}
        )
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def data(tmp_path: Path, phantom: Path) -> Path:
    """A copy of the phantom, to be spoiled."""
    return Path(shutil.copytree(phantom, tmp_path / "data"))


def labels(data: Path, split: str = "train") -> list[Path]:
    rows = (data / f"{split}.csv").read_text().splitlines()[1:]
    return [data / row.split(",")[1] for row in rows]


def undeclared_value(data: Path) -> str:
    image = nib.load(path := labels(data)[2])
    array = np.asanyarray(image.dataobj).copy()
    array[0, 0, :3] = 9
    nib.save(nib.Nifti1Image(array, image.affine), path)
    return "9 (3 voxels)"


def double_spacing(data: Path) -> str:
    image = nib.load(path := labels(data)[1])
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine @ np.diag([2.0, 2.0, 2.0, 1.0])), path)
    return "differ in spacing"


def shared_patient(data: Path) -> str:
    for split, names in (("train", "abcdef"), ("valid", "ghi"), ("test", "cjk")):
        header, *rows = (data / f"{split}.csv").read_text().splitlines()
        cells = [f"{row},p_{name}" for row, name in zip(rows, names, strict=True)]
        (data / f"{split}.csv").write_text("\n".join([f"{header},patient", *cells]) + "\n")
    return "p_c is in train.csv:4 too"


PLANTED = {"undeclared": undeclared_value, "spacing": double_spacing, "patient": shared_patient}


def settings(name: str) -> list[str]:
    return ["data.group_col=patient"] if name == "patient" else []


def test_a_right_data_set_ends_with_status_0(run: Run, write_config: WriteConfig, phantom: Path) -> None:
    done = run("check", "-c", write_config())
    assert done.exit_code == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "0 errors, 0 warnings in 12 cases."
    assert "6 train, 3 valid, 3 test" in done.stdout
    assert not any("what to do" in line for line in lines)
    voxels = np.concatenate([np.asanyarray(nib.load(path).dataobj).ravel() for path in labels(phantom)])
    [lesion] = [line for line in lines if line.startswith("lesion")]
    assert f"{100 * (voxels == 2).mean():.3g} %, 6 cases" in lesion


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_an_error_with_row_and_file(
    run: Run, write_config: WriteConfig, data: Path, name: str
) -> None:
    text = PLANTED[name](data)
    done = run("check", "-c", write_config(data={"root": str(data)}), *settings(name))
    assert done.exit_code == 2
    [line] = [line for line in done.stdout.splitlines() if text in line]
    where = {"undeclared": "train.csv:4", "spacing": "train.csv:3", "patient": "test.csv:2"}[name]
    assert line.split()[:2] == ["error", where]
    assert line.split()[2].endswith(".nii.gz")
    assert done.stdout.splitlines()[-1].startswith("1 error, ")


def test_mistakes_of_the_config_are_told_first_and_the_data_are_looked_at_all_the_same(
    run: Run, write_config: WriteConfig, data: Path
) -> None:
    text = undeclared_value(data)
    config = write_config(data={"root": str(data)}, optimiser="Adam")
    done = run("check", "-c", config, "trainer.num_epoch=3")
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert "optimiser is not a setting" in first
    assert "trainer.num_epoch is not an argument of lightning.Trainer" in second
    assert text in done.stdout
    assert done.stdout.splitlines()[-1] == "2 mistakes in the config, 1 error, 0 warnings in 12 cases."


def test_data_that_the_config_does_not_name_are_not_looked_at(run: Run, write_config: WriteConfig) -> None:
    done = run("check", "-c", write_config(data={"classes": "organ"}))
    assert done.exit_code == 2
    assert done.stdout.splitlines()[-1] == "1 mistake in the config; the data were not looked at."


def test_a_csv_that_is_not_there_is_told_once(run: Run, write_config: WriteConfig) -> None:
    done = run("check", "-c", write_config(data={"valid_csv": "vald.csv"}))
    assert done.exit_code == 2
    assert (done.stdout + done.stderr).count("vald.csv") == 1
    assert done.stdout.splitlines()[-1] == "1 mistake in the config, 0 errors, 0 warnings in 9 cases."


def test_many_findings_are_counted_in_the_table_and_listed_in_json(
    run: Run, write_config: WriteConfig, data: Path
) -> None:
    for split in ("train", "valid", "test"):
        for path in labels(data, split):
            path.write_bytes(path.read_bytes()[:-100])
    config = write_config(data={"root": str(data)})
    table = run("check", "-c", config)
    assert "... and 7 more of this kind; --json lists them all." in table.stdout
    assert table.stdout.count("Cannot be read") == 5
    done = run("check", "-c", config, "--json")
    assert done.exit_code == 2
    document = json.loads(done.stdout)
    assert [found["row"] for found in document["findings"]] == [*range(2, 8), *range(2, 5), *range(2, 5)]
    assert {found["severity"] for found in document["findings"]} == {"error"}
    assert document["findings"][0].keys() == {"severity", "kind", "what", "remedy", "csv", "row", "file"}
    assert (document["errors"], document["warnings"], document["cases"]) == (12, 0, 12)
    assert document["learned"]["cases"] == {"train": 6, "valid": 3, "test": 3}
    assert document["estimates"]["step"]["parameters"] > 0
    assert document["estimates"]["cache"]["kind"] == "disk"


def test_json_holds_the_mistakes_of_the_config_too(run: Run, write_config: WriteConfig) -> None:
    done = run("check", "-c", write_config(), "--json", "trainer.num_epoch=3", "data.classes=[organ]")
    assert done.exit_code == 2
    document = json.loads(done.stdout)
    assert [mistake["where"] for mistake in document["config"]] == ["command line", "command line"]
    assert document["learned"] is None


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_the_table_fits_the_terminal(run: Run, write_config: WriteConfig, data: Path, columns: int) -> None:
    double_spacing(data)
    undeclared_value(data)
    done = run("check", "-c", write_config(data={"root": str(data)}), columns=columns)
    assert max(map(len, done.stdout.splitlines())) <= columns
    words = set(done.stdout.split())
    assert {"train.csv:3", "train.csv:4", "Holds", "Correct", "export", "data.label_map"} <= words
    assert {str(path.relative_to(data)) for path in labels(data)[1:3]} <= words


def test_a_bar_is_shown_on_a_terminal(write_config: WriteConfig) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-m", "trainlib", "check", "-c", str(write_config())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # as Linux tells that the other end was closed
                break
            if not block:
                break
            shown += block
        assert process.stdout is not None
        output = process.stdout.read()
    os.close(ours)
    assert b"reading" in shown
    assert b"%" in shown
    assert process.returncode == 0
    assert output.splitlines()[-1] == "0 errors, 0 warnings in 12 cases."


@pytest.mark.parametrize("cache", ["disk", "none"])
@pytest.mark.parametrize("name", PLANTED)
def test_fit_catches_planted_mistakes_before_anything_is_written(
    run: Run, write_config: WriteConfig, data: Path, name: str, cache: str
) -> None:
    text = PLANTED[name](data)
    config = write_config(data={"root": str(data), "cache": cache})
    done = run("fit", "-c", config, *settings(name))
    assert done.exit_code == 2
    assert text in done.stderr
    assert not list(config.parent.glob("runs/tiny*"))


def test_fit_catches_a_misspelt_key(run: Run, write_config: WriteConfig) -> None:
    config = write_config()
    done = run("fit", "-c", config, "trainer.num_epoch=3")
    assert done.exit_code == 2
    assert "trainer.num_epoch is not an argument of lightning.Trainer" in done.stderr
    assert not (config.parent / "runs").exists()


def test_fit_can_be_told_not_to_look(run: Run, write_config: WriteConfig, data: Path) -> None:
    near = nib.load(path := labels(data)[0])
    affine = near.affine.copy()
    affine[0, 3] += 0.1
    nib.save(nib.Nifti1Image(np.asanyarray(near.dataobj), affine), path)
    double_spacing(data)
    config = write_config(data={"root": str(data)})
    looked, not_looked = run("fit", "-c", config), run("fit", "-c", config, "--no-check")
    assert "differ in origin" in looked.stdout
    assert "differ in spacing" in looked.stderr
    assert looked.exit_code == not_looked.exit_code == 2
    assert "differ in" in not_looked.stderr
    assert "differ in spacing" not in not_looked.stderr


def test_classes_that_contradict_the_columns_are_told_and_the_data_looked_at(run: Run, tmp_path: Path) -> None:
    make_classification_dataset(tmp_path / "data", cases=(4, 2, 2), spatial_dims=2, multilabel=True)
    columns = (tmp_path / "data" / "train.csv").read_text().splitlines()[0].split(",")[1:]
    data = {"root": str(tmp_path / "data"), "label_cols": columns, "spatial_dims": 2}
    data |= {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")}
    data["classes"] = [f"class {i}" for i in range(len(columns) + 1)]
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"task": "classification", "data": data}))
    done = run("check", "-c", config)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.exit_code == 2
    assert "data.classes: expected" in done.stderr
    assert "mistake in the config" in done.stdout.splitlines()[-1]


def test_a_cache_of_which_nothing_is_known_says_why(run: Run, write_config: WriteConfig, data: Path) -> None:
    for split in ("train", "valid", "test"):
        for path in labels(data, split):
            path.write_bytes(b"")
    base = ["LoadImaged", "EnsureChannelFirstd", {"CropForegroundd": {"source_key": "image"}}]
    done = run("check", "-c", write_config(data={"root": str(data)}, transforms={"base": base}))
    assert done.exit_code == 2
    assert "not known, for no case could be prepared" in done.stdout
