"""Which curves are drawn, and that they show what was logged."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.report.helpers import epoch_table, make_run
from trainlib.report.curves import Chart, draw_curves
from trainlib.report.load import read_content
from trainlib.report.segmentation.curves import metric_plans
from trainlib.report.training import best_of


def charts(run: Path, table: pd.DataFrame | None = None) -> dict[str, Chart]:
    if table is not None:
        table.to_csv(run / "logs" / "metrics.csv", index=False)
    content = read_content(run)
    return {chart.title: chart for chart in draw_curves(content, best_of(content), partial(metric_plans, content))}


def points(chart: Chart, variable: str) -> list[tuple[float, float]]:
    """Return the vertices of the thickest line in a colour."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="fill: none; stroke: ([^;"]*);[^"]*"', chart.svg)
    [path] = [path for path, stroke in paths if stroke == variable and path.count("L") > 1]
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]


def test_loss_rate_and_metrics_get_a_chart_each(tmp_path: Path) -> None:
    found = charts(make_run(tmp_path / "run"))
    assert [*found] == ["Loss", "Learning rate", "Dice in validation", "HD95 in validation"]
    assert found["HD95 in validation"].hint == "mm, lower is better"
    assert [name for name, _ in found["Dice in validation"].legend] == ["organ", "lesion", "mean over classes"]


def test_a_curve_lies_where_the_values_are(tmp_path: Path) -> None:
    table = epoch_table(["organ", "lesion"])
    x, y = np.array(points(charts(make_run(tmp_path / "run"))["Loss"], "var(--accent)")).T
    for drawn, logged in ((x, table["epoch"]), (y, table["valid/loss"])):
        slope, offset = np.polyfit(logged, drawn, 1)
        assert drawn == pytest.approx(offset + slope * logged.to_numpy(), abs=0.01)
    assert np.polyfit(table["valid/loss"], y, 1)[0] < 0  # a larger value stands higher


def test_epochs_without_a_value_are_bridged(tmp_path: Path) -> None:
    table = epoch_table(["organ", "lesion"])
    table.loc[[0, 2, 4], "valid/loss"] = [np.nan, np.inf, np.nan]
    assert len(points(charts(make_run(tmp_path / "run"), table)["Loss"], "var(--accent)")) == 3


def test_several_learning_rates_are_told_apart(tmp_path: Path) -> None:
    table = epoch_table(["organ", "lesion"]).assign(**{"lr-AdamW/pg2": 0.5})
    legend = charts(make_run(tmp_path / "run"), table)["Learning rate"].legend
    assert [name for name, _ in legend] == ["AdamW", "AdamW/pg2"]
    assert len({colour for _, colour in legend}) == 2


def test_counts_are_drawn_where_a_structure_was_missed(tmp_path: Path) -> None:
    table = epoch_table(["organ", "lesion"])
    table.loc[1, "valid/missed"] = 2
    title = "Missed and false-positive structures in validation"
    assert title in charts(make_run(tmp_path / "run"), table)


def test_the_class_keeps_its_colour_in_every_chart(tmp_path: Path) -> None:
    table = epoch_table(["organ", "lesion"]).assign(**{"valid/hd95/lesion": 3.0})
    found = charts(make_run(tmp_path / "run"), table)
    colours = {dict(found[title].legend)["lesion"] for title in ("Dice in validation", "HD95 in validation")}
    assert colours == {"var(--tone-2)"}


def test_a_long_training_is_a_line_without_dots(tmp_path: Path) -> None:
    table = pd.concat([epoch_table(["organ", "lesion"])] * 20, ignore_index=True).assign(epoch=range(120))
    run = make_run(tmp_path / "run", trainer={"max_epochs": 120})
    assert "<use" in charts(run)["Loss"].svg
    assert "<use" not in charts(run, table)["Loss"].svg
