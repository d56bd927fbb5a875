"""The command `split`: what it prints, and its exit status."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.test_cli import witnessed
from trainlib.config.load import read_config
from trainlib.preflight import quick_problems

Cli = Callable[..., subprocess.CompletedProcess[str]]
PATTERNS = ("--image", "images/*.png", "--label", "masks/*.png")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures and masks in ``data``, and a mask without a picture."""
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(20):
            values = np.tile(np.uint8([0, 255]), (8, 4))
            Image.fromarray(values).save(tmp_path / "data" / name / f"{number:02d}.png")
    (tmp_path / "data" / "images" / "07.png").unlink()
    return tmp_path


def test_split_prints_a_table_and_the_lines_for_the_config(cli: Cli, pictures: Path) -> None:
    done = cli("split", "data", *PATTERNS, cwd=pictures)
    assert done.returncode == 0
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert cells == [
        ["cases", "13", "3", "3", "19"],
        ["label 0", *["100% (50%)"] * 4],
        ["label 255", *["100% (50%)"] * 4],
    ]
    assert done.stdout.endswith(
        """\
data/train.csv, data/valid.csv, data/test.csv. For the config:

data:
  root: data
  train_csv: train.csv
  valid_csv: valid.csv
  test_csv: test.csv
  image_cols: image
  label_cols: label
  classes: [background, foreground]
  label_map: {255: foreground}
  spatial_dims: 2
"""
    )
    assert done.stderr.splitlines()[:2] == [
        "masks/07.png: there is no images/07.png (--image 'images/*.png').",
        "1 file or row is left out.",
    ]


def test_the_printed_lines_are_a_config_that_fit_takes(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cli("split", "data", *PATTERNS, "--group", r"images/(\d\d)", cwd=pictures)
    (pictures / "config.yaml").write_text(done.stdout.partition("For the config:")[2])
    monkeypatch.chdir(pictures)
    loaded = read_config("config.yaml")
    assert loaded.problems + quick_problems(loaded) == []
    assert loaded.config is not None
    assert loaded.config.data.group_col == "group"


def test_options_reach_the_split(cli: Cli, pictures: Path) -> None:
    table = pd.DataFrame({"file": [f"{n:02d}.png" for n in range(20)], "sick": ["no", "yes"] * 10, "who": range(20)})
    table.drop(7).to_csv(pictures / "labels.csv", index=False)
    done = cli(
        *(
            "split",
            "data",
            "--image",
            "images/*.png",
            "--label-csv",
            "labels.csv",
            "--key",
            "file",
            "--label-col",
            "sick",
        ),
        *("--group-col", "who", "--name", "scan", "--valid", "0.5", "--test", "0", "--seed", "3", "--out", "csvs"),
        cwd=pictures,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (pictures / "csvs").iterdir()) == ["train.csv", "valid.csv"]
    found = {part: pd.read_csv(pictures / "csvs" / f"{part}.csv") for part in ("train", "valid")}
    assert list(found["train"]) == ["scan", "sick", "who"]
    assert sorted(map(len, found.values())) == [9, 10]
    assert cli("split", "data", *PATTERNS, "--out", "csvs", cwd=pictures).returncode == 2
    assert cli("split", "data", *PATTERNS, "--out", "csvs", "--overwrite", cwd=pictures).returncode == 0


def test_classes_of_any_name_are_shown_and_given_names_that_a_config_takes(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{n:02d},{'[/b]' if n % 2 else 'no'}\n" for n in range(20) if n != 7)
    (pictures / "labels.csv").write_text(f"file,label\n{rows}")
    done = cli("split", "data", "--image", "images/*.png", "--label-csv", "labels.csv", cwd=pictures)
    assert done.returncode == 0
    assert "│ [/b]  │" in done.stdout
    (pictures / "config.yaml").write_text(done.stdout.partition("For the config:")[2])
    monkeypatch.chdir(pictures)
    loaded = read_config("config.yaml")
    assert loaded.problems + quick_problems(loaded) == []
    assert loaded.config is not None
    assert loaded.config.label_cells == {"[-b]": 0, "no": 1, "[/b]": 0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", *PATTERNS], "nowhere: there is no such folder."),
        (["data", *PATTERNS, "--valid", "2"], "--valid 2 --test 0.15: expected"),
        (["data", "--image", "images/0*.png", "--label", "masks/*.png"], "No files belong together: "),
        (["data", "--image", "data/images/1.png", "data/images/2.png"],
         "data/images/2.png: expected nothing more. Put patterns in quotes, so that the shell leaves them alone."),
    ],
)  # fmt: skip
def test_a_wrong_call_gets_sentences_and_writes_nothing(
    cli: Cli, pictures: Path, arguments: list[str], sentence: str
) -> None:
    done = cli("split", *arguments, cwd=pictures)
    assert done.returncode == 2
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr
    assert list(pictures.rglob("*.csv")) == []


def test_a_folder_that_cannot_be_written_to_is_told(cli: Cli, pictures: Path) -> None:
    (pictures / "file").touch()
    done = cli("split", "data", *PATTERNS, "--out", "file/csvs", cwd=pictures)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("file/csvs: cannot be written to: NotADirectoryError")


def test_split_does_not_wait_for_torch(pictures: Path) -> None:
    done = witnessed("split", pictures / "data", *PATTERNS)
    assert done.returncode == 0
    assert "without torch: " in done.stdout
    assert "with torch: " not in done.stdout
