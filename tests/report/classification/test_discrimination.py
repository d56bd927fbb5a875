"""ROC and precision-recall curves: their areas, their chance lines, and how they are thinned."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from tests.report.classification.helpers import (
    BINARY,
    LABELS,
    SEVERAL,
    make_classification,
    predicted,
    split_table,
    table_of,
)
from trainlib.report.classification.discrimination import draw_discrimination, thin
from trainlib.report.classification.predictions import Predictions, predictions_of
from trainlib.report.load import read_content


def shown(run: Path) -> Predictions:
    content = read_content(run)
    found = predictions_of(content.cases, content.config, "test")
    assert found is not None
    return found


def paths(svg: str, *, dashed: bool = False) -> list[np.ndarray]:
    """Return the vertices of the curves, or of the dashed lines."""
    found = []
    for points, style in re.findall(r'<path d="([^"]*)"[^>]*style="(fill: none;[^"]*)"', svg):
        if "dasharray" in style if dashed else "--tone" in style and "dasharray" not in style:
            found.append(np.array(re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", points), dtype=float))
    return found


@pytest.mark.parametrize(("classes", "multilabel"), [(SEVERAL, False), (LABELS, True)])
def test_every_class_has_a_curve_with_the_area_of_scikit_learn(
    tmp_path: Path, classes: list[str], multilabel: bool
) -> None:
    run = make_classification(tmp_path / "run", classes, multilabel=multilabel)
    likely, targets = predicted(run, "test", classes)
    labelled = targets if multilabel else (targets[:, None] == np.arange(3)).astype(int)
    roc, pr = draw_discrimination(shown(run))
    for chart, area, score in (
        (roc, "AUROC", metrics.roc_auc_score),
        (pr, "AP", metrics.average_precision_score),
    ):
        wanted = [f"{name}, {area} {score(labelled[:, k], likely[:, k]):.3f}" for k, name in enumerate(classes)]
        assert [name for name, _ in chart.legend] == wanted
        assert [colour for _, colour in chart.legend] == [f"var(--tone-{k})" for k in (1, 2, 3)]
        assert len(paths(chart.svg)) == 3


def test_a_binary_task_has_one_curve_that_of_the_positive_class(tmp_path: Path) -> None:
    legends = [
        [name for name, _ in c.legend] for c in draw_discrimination(shown(make_classification(tmp_path, BINARY)))
    ]
    assert [len(legend) for legend in legends] == [1, 1]
    assert all(legend[0].startswith("malignant, ") for legend in legends)


def test_the_curve_lies_where_scikit_learn_says_and_the_chance_line_is_the_diagonal(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", BINARY)
    likely, targets = predicted(run, "test", BINARY)
    chart = draw_discrimination(shown(run))[0]
    [chance], [drawn] = paths(chart.svg, dashed=True), paths(chart.svg)
    start, end = chance[0], chance[-1]
    found = (drawn - start) / (end - start)
    x, y, _ = metrics.roc_curve(targets, likely[:, 1], drop_intermediate=False)
    assert found[0] == pytest.approx([0, 0], abs=0.01)
    assert found[-1] == pytest.approx([1, 1], abs=0.01)
    for point in zip(x, y, strict=True):  # each is on the line that is drawn
        assert distance(np.array(point), found) < 0.01


def distance(point: np.ndarray, line: np.ndarray) -> float:
    start, way = line[:-1], np.diff(line, axis=0)
    share = ((point - start) * way).sum(axis=1) / np.maximum((way**2).sum(axis=1), 1e-12)
    return float(np.linalg.norm(start + share.clip(0, 1)[:, None] * way - point, axis=1).min())


def test_the_chance_line_of_precision_is_the_share_of_the_class(tmp_path: Path) -> None:
    table = split_table("test", BINARY, 400, False)
    table = table[(table["label"] == "benign") | (table.index % 4 == 0)]
    run = make_classification(tmp_path / "run", BINARY, table=table)
    roc, pr = draw_discrimination(shown(run))
    [diagonal], [chance] = paths(roc.svg, dashed=True), paths(pr.svg, dashed=True)
    height = (chance[0, 1] - diagonal[0, 1]) / (diagonal[-1, 1] - diagonal[0, 1])
    assert height == pytest.approx((table["label"] == "malignant").mean(), abs=0.005)


def test_a_thinned_curve_is_nowhere_further_away_than_a_cell() -> None:
    steps = np.random.default_rng(0).random((20000, 2)) < 0.5
    curve = np.vstack([[0, 0], (steps * [1, 1]).cumsum(axis=0) / steps.sum(axis=0)])
    few = thin(curve, 100)
    assert len(few) <= 401
    assert (few[0] == curve[0]).all()
    assert (few[-1] == curve[-1]).all()
    assert max(distance(point, few) for point in curve[::37]) < np.sqrt(2) / 100


def test_a_curve_of_few_points_loses_none() -> None:
    curve = np.array([[0, 0], [0, 0.3], [0.5, 0.3], [0.5, 1], [1, 1]])
    assert thin(curve, 500).tolist() == curve.tolist()


def test_a_large_split_stays_small_on_the_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, 50000)
    likely = (rng.random(50000) + 0.4 * targets) / 1.4
    names = [f"c{i}" for i in range(50000)]
    table = table_of("test", names, BINARY, np.column_stack([1 - likely, likely]), targets)
    found = Predictions("test", BINARY, False, names, table[["probability_benign", "probability_malignant"]].to_numpy(),
                        targets)  # fmt: skip
    charts = draw_discrimination(found)
    assert max(len(chart.svg) for chart in charts) < 100_000
    [drawn] = paths(charts[0].svg)
    assert len(drawn) > 50
