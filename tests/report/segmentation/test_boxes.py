"""Box plots against matplotlib's own statistics, and the dots on them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import boxplot_stats

from tests.report.helpers import change_cases, make_run
from trainlib.report.load import read_content
from trainlib.report.segmentation import boxes
from trainlib.report.segmentation.boxes import _Box, draw_boxes, shows_all


@pytest.mark.parametrize("values", [[0.4], [0.1, 0.9], [0.5] * 7, np.random.default_rng(0).lognormal(size=200)])
def test_the_five_numbers_are_those_of_matplotlib(values: list[float]) -> None:
    [expected] = boxplot_stats(values)
    box = _Box.of(np.array(values))
    assert (box.low, box.first, box.median, box.third, box.high) == pytest.approx(
        [expected[name] for name in ("whislo", "q1", "med", "q3", "whishi")]
    )


def dots(run: Path, metric: int = 0) -> list[tuple[float, str]]:
    root = ET.fromstring(draw_boxes(read_content(run), "test")[metric].svg)
    return [(float(dot.get("cx", "nan")), dot.findtext("title", "")) for dot in root.iter("circle")]


def test_each_case_is_a_dot_with_its_name_at_its_value(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv").query("split == 'test'").dropna(subset=["dice"])
    found = dots(run)
    assert sorted(name for _, name in found) == sorted(f"{r.case}: {r.dice:.3f}" for r in table.itertuples())
    places, values = zip(*((x, float(name.split()[1])) for x, name in found), strict=True)
    slope, offset = np.polyfit(values, places, 1)
    assert slope > 0
    assert list(places) == pytest.approx([offset + slope * value for value in values], abs=0.3)


def test_of_too_many_cases_only_those_beyond_the_whiskers_are_dots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")
    cases = pd.read_csv(run / "cases.csv")
    scores = cases["dice"].fillna(0.9).clip(0.7).where(cases["case"] != "test_06", 0.1)
    table = change_cases(run, dice=scores).query("split == 'test'")
    outliers = sum(len(boxplot_stats(values.dropna())[0]["fliers"]) for _, values in table.groupby("class")["dice"])
    assert outliers > 0
    assert shows_all(read_content(run), "test")
    monkeypatch.setattr(boxes, "MOST_DOTS", 10)
    assert len(dots(run)) == outliers
    assert not shows_all(read_content(run), "test")


def test_dollar_signs_stay_as_they_are(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", classes=["background", "a $x_1$ <b>", "lesion $"])
    svg = draw_boxes(read_content(run), "test")[0].svg
    assert ">a $x_1$ &lt;b&gt;</text>" in svg
    assert ">lesion $</text>" in svg


def test_the_description_tells_the_medians(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    medians = pd.read_csv(run / "cases.csv").query("split == 'test'").groupby("class", sort=False)["hd95"].median()
    chart = next(chart for chart in draw_boxes(read_content(run), "test") if chart.title == "HD95 (mm)")
    [label] = re.findall(r'aria-label="([^"]*)"', chart.svg)
    for name, median in medians.items():
        assert f"{name}: median {median:.2f}" in label
