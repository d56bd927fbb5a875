"""Whatever a run folder lacks, there is a report, and it says so."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image, ImageSequence

from tests.report.helpers import Page, change_cases, epoch_table, make_run
from tests.report.test_report import report_of


def tables_named(page: Page, *head: str) -> list[list[list[str]]]:
    return [rows for rows in page.tables if rows and rows[0][: len(head)] == [*head]]


def test_a_complete_run_lacks_nothing(tmp_path: Path) -> None:
    page = report_of(make_run(tmp_path / "run"))
    assert "What is missing" not in page.text
    assert "Complete after 6 epochs. Best valid/dice: 0.8 in epoch 5." in page.text
    assert "trained on 5 cases for 6 epochs and tested on 7 cases." in page.text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("cases.csv", "There is no cases.csv. No case has been scored"),
        ("logs/metrics.csv", "There is no logs/metrics.csv. There are no curves."),
        ("emissions.csv", "There is no emissions.csv. Energy and CO₂ are not known."),
        ("progress.gif", "There is no animation of the training (progress.gif)."),
        ("pictures", "There are no pictures of the test cases (pictures/test/)."),
        ("snapshot/environment.json", "machine and versions are not known"),
        ("snapshot/requirements.txt", "The snapshot is incomplete; it lacks: requirements.txt."),
        ("snapshot", "The snapshot is incomplete; it lacks: trainlib, requirements.txt"),
        ("logs", "There is no logs/metrics.csv."),
    ],
)
def test_each_part_may_be_absent(tmp_path: Path, path: str, told: str) -> None:
    run = make_run(tmp_path / "run")
    shutil.rmtree(run / path) if (run / path).is_dir() else (run / path).unlink()
    page = report_of(run)
    assert "What is missing" in page.text
    assert told in page.text


PARTS = (
    *("cases.csv", "logs/metrics.csv", "emissions.csv", "progress.gif", "pictures/test/test_06.png"),
    *("logs/trainlib.log", "snapshot/environment.json", "snapshot/components.json", "snapshot/csvs/train.csv"),
)


@pytest.mark.parametrize("path", PARTS)
def test_each_part_may_be_broken(tmp_path: Path, path: str) -> None:
    run = make_run(tmp_path / "run")
    (run / path).write_bytes(b"\x00\xff\xfe")
    text = report_of(run).text
    assert ("What is missing" in text) == (path not in PARTS[-4:] or path == "snapshot/environment.json")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n", b"GIF8", b"{", b"[1]", b"split\n\n"])
def test_all_parts_may_be_broken(tmp_path: Path, content: bytes) -> None:
    run = make_run(tmp_path / "run")
    for path in PARTS:
        (run / path).write_bytes(content)
    text = report_of(run).text
    assert "No case has been scored" in text
    assert "There are no curves." in text
    assert "Energy and CO₂ are not known." in text


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("dice", "much", "cases.csv cannot be used: column dice: Unable to parse string"),
        ("hd", "inf", "cases.csv cannot be used: column hd holds an infinite number."),
    ],
)
def test_a_table_of_cases_with_a_wrong_cell_is_not_used(tmp_path: Path, column: str, value: str, told: str) -> None:
    run = make_run(tmp_path / "run")
    change_cases(run, **{column: value})
    assert told in report_of(run).text


def test_a_run_that_crashed_before_its_first_epoch(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for path in ("cases.csv", "logs/metrics.csv", "emissions.csv", "progress.gif", "checkpoints/last.ckpt"):
        (run / path).unlink()
    page = report_of(run)
    assert "The training ended before its first epoch was finished." in page.text
    assert f"trainlib fit -c {run / 'config.yaml'}" in page.text
    assert "--ckpt_path" not in page.text
    assert "trained on 5 cases for 0 of 6 epochs; no case has been scored." in page.text


def test_a_run_without_a_test_set_shows_the_validation_and_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data={"test_csv": None})
    table = pd.read_csv(run / "cases.csv")
    valid = table[table["split"] == "valid"]
    valid.to_csv(run / "cases.csv", index=False)
    page = report_of(run)
    assert "There is no test set (data.test_csv is null). The validation set is shown instead" in page.text
    assert "Results on the validation set" in page.text
    assert page.tables[0][1][2].startswith(f"{valid.groupby('class')['dice'].mean().mean():.3f}")
    assert "preprocessed grid" in page.text


def test_a_test_set_that_was_not_scored_is_told_with_the_command(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a run")
    table = pd.read_csv(run / "cases.csv")
    table[table["split"] == "valid"].to_csv(run / "cases.csv", index=False)
    text = report_of(run).text
    assert "The test set has not been scored." in text
    assert f"trainlib test {shlex.quote(str(run))}" in text


def test_a_run_without_surface_metrics_says_so_and_shows_dice(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    change_cases(run, hd=np.nan, hd95=np.nan, asd=np.nan, nsd=np.nan)
    page = report_of(run)
    assert "Surface metrics (HD95, ASD, HD, NSD) were not computed" in page.text
    assert page.tables[0][0][:4] == ["Class", "Statistic", "Dice higher is better", "Cases"]


def test_one_case_has_no_interval(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    table[table["case"] == "test_00"].to_csv(run / "cases.csv", index=False)
    page = report_of(run)
    assert "one case, no interval" in page.text
    assert all(len(cell.split()) == 1 for cell in page.tables[0][1][2:7])
    assert "Only case" in page.text


def test_a_class_that_is_absent_everywhere_has_no_number_and_no_part_in_the_headline(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    table.loc[table["class"] == "lesion", ["dice", "hd", "hd95", "asd", "nsd"]] = np.nan
    table.loc[table["class"] == "lesion", "outcome"] = "absent"
    table.to_csv(run / "cases.csv", index=False)
    rows = report_of(run).tables[0]
    assert rows[5][2] == "\N{EN DASH}"
    assert rows[5][-1] == "7"
    assert rows[1][2].split()[0] == rows[3][2].split()[0]


def test_nothing_but_absent_structures(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    change_cases(run, dice=np.nan, hd=np.nan, hd95=np.nan, asd=np.nan, nsd=np.nan, outcome="absent")
    assert "No structure is in any label or prediction" in report_of(run).text


def test_one_epoch_gives_points(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", trainer={"max_epochs": 1})
    epoch_table(["organ", "lesion"]).head(1).to_csv(run / "logs" / "metrics.csv", index=False)
    page = report_of(run)
    assert "Only one epoch was trained, so the curves are single points." in page.text
    assert "Complete after 1 epoch." in page.text
    assert "Loss over 1 epoch" in page.source


def test_what_is_switched_off_is_told_as_such(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", progress=None, emissions=None, lr_monitor=None, report=None)
    for path in ("emissions.csv", "progress.gif"):
        (run / path).unlink()
    pd.read_csv(run / "logs/metrics.csv").drop(columns="lr-AdamW").to_csv(run / "logs/metrics.csv", index=False)
    text = report_of(run).text
    assert "switched off (progress: null)" in text
    assert "switched off (emissions: null)" in text
    assert "The learning rate was not logged (lr_monitor: null)." in text


def test_a_diverged_training_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "logs/metrics.csv")
    table.loc[3:4, "train/loss"] = [np.nan, np.inf]
    table.to_csv(run / "logs/metrics.csv", index=False, na_rep="nan")
    assert "The training loss is no number in 2 epochs" in report_of(run).text


def test_a_config_of_another_version_is_shown_and_what_is_not_read_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", was_once_a_setting=3, data={"root": "/moved/away", "olden": 1})
    page = report_of(run)
    assert "was_once_a_setting" in page.text
    assert "This version of trainlib does not read all of config.yaml:" in page.text
    assert "data.olden is not a setting" in page.text
    assert "7 cases" in page.text


def test_a_folder_of_scores_alone_is_not_called_a_broken_training(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for path in ("snapshot", "logs", "checkpoints"):
        shutil.rmtree(run / path)
    for path in ("emissions.csv", "progress.gif"):
        (run / path).unlink()
    page = report_of(run)
    assert "Nothing was trained in this folder: it holds the scores of a checkpoint." in page.text
    assert "What is missing" not in page.text
    assert "tested on 7 cases." in page.text


def test_the_config_stands_in_the_page_in_full(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    source = report_of(run).source
    shown = source.split("<h3>config.yaml</h3>")[1].split("<code>")[1].split("</code>")[0]
    assert yaml.safe_load(shown) == yaml.safe_load((run / "config.yaml").read_text())
    assert tables_named(report_of(run), "snapshot/")


def test_the_pictures_that_a_killed_process_left_become_the_gif(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "progress").mkdir()
    for epoch in (1, 2, 3):
        picture = Image.new("RGB", (30, 20))
        picture.paste((250, 0, 0), (0, 0, 5 * epoch, 20))
        picture.save(run / "progress" / f"epoch_{epoch:05d}.png")
    report_of(run)
    with Image.open(run / "progress.gif") as gif:
        assert sum(1 for _ in ImageSequence.Iterator(gif)) == 3


def test_a_gif_of_all_pictures_is_left_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "progress").mkdir()
    Image.new("RGB", (30, 20)).save(run / "progress" / "epoch_00001.png")
    os.utime(run / "progress" / "epoch_00001.png", (0, 0))
    content = (run / "progress.gif").read_bytes()
    report_of(run)
    assert (run / "progress.gif").read_bytes() == content
