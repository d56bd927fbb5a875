"""The best, the median and the worst case."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from tests.report.helpers import make_run
from trainlib.report.load import read_content
from trainlib.report.segmentation.ranking import rank_cases


def ranked(run: Path, scores: dict[str, list[float]]) -> dict[str, str]:
    rows = [
        {"split": "test", "case": case, "class": name, "dice": dice, "outcome": "found"}
        for case, values in scores.items()
        for name, dice in zip(("organ", "lesion"), values, strict=True)
    ]
    pd.DataFrame(rows).to_csv(run / "cases.csv", index=False)
    return {found.rank: found.case for found in rank_cases(read_content(run), "test")}


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([0.5], {"Only case": "c0"}),
        ([0.5, 0.7], {"Best": "c1", "Worst": "c0"}),
        ([0.7, 0.5, 0.9], {"Best": "c2", "Median": "c0", "Worst": "c1"}),
        ([0.7, 0.5, 0.9, 0.6], {"Best": "c2", "Median": "c3", "Worst": "c1"}),
        ([0.5, 0.5, 0.5], {"Best": "c0", "Median": "c1", "Worst": "c2"}),
    ],
)
def test_they_are_chosen_by_their_mean_dice(tmp_path: Path, means: list[float], expected: dict[str, str]) -> None:
    scores = {f"c{i}": [mean - 0.1, mean + 0.1] for i, mean in enumerate(means)}
    assert ranked(make_run(tmp_path / "run"), scores) == expected


def test_a_class_that_a_case_does_not_have_is_left_out_of_its_mean(tmp_path: Path) -> None:
    scores = {"a": [0.9, math.nan], "b": [0.8, 0.8], "c": [math.nan, math.nan], "d": [0.1, 0.2]}
    assert ranked(make_run(tmp_path / "run"), scores) == {"Best": "a", "Median": "b", "Worst": "d"}


def test_a_case_shows_the_scores_of_each_class(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    worst = rank_cases(read_content(run), "test")[-1]
    rows = table[table["case"] == worst.case]
    assert worst.dice == pytest.approx(rows["dice"].mean())
    assert [(name, scores["dice"], scores["hd95"]) for name, _, scores, _ in worst.rows] == [
        (row["class"], f"{row['dice']:.3f}", f"{row['hd95']:.2f}") for row in rows.to_dict("records")
    ]
    assert [outcome for *_, outcome in worst.rows] == ["found", "missed"]
