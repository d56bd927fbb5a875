"""The figures in summary.csv against pandas, numpy and scikit-learn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from trainlib.config.schema import Config
from trainlib.ensemble.summary import Figure, figures_of, write_summary
from trainlib.folders.ensemble import OVER_FOLDS, POOLED, Ensemble, EnsembleFolder


def make_ensemble(folder: Path, **data: object) -> Ensemble:
    data = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "organ", "lesion"]} | data
    task = "segmentation" if "background" in data["classes"] else "classification"  # type: ignore[operator]
    config = Config.model_validate({"task": task, "data": data, "report": {"resamples": 400}, "seed": 5})
    return Ensemble(EnsembleFolder(folder), "folds", ("fold_1", "fold_2"), config, {})


def score_table(by: str, models: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for model in models:
        for case in range(6):
            for name in ("organ", "lesion"):
                row = {by: model, "case": f"{model}_{case}", "class": name, "dice": rng.uniform(), "nsd": rng.uniform()}
                row |= {metric: rng.uniform(1, 9) for metric in ("hd", "hd95", "asd")} | {"outcome": "found"}
                rows.append(row)
    rows[3]["dice"] = math.nan
    return pd.DataFrame(rows)


def find(figures: list[Figure], *key: str) -> Figure:
    [found] = [figure for figure in figures if (figure.set, figure.model, figure.group, figure.metric) == key]
    return found


def test_figures_over_folds_are_means_over_cases_then_classes_with_their_deviation(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path)
    table = score_table("fold", ["fold_1", "fold_2"])
    table.to_csv(ensemble.folder.cv, index=False)
    figures = write_summary(ensemble)
    by_class = table.groupby("class")["dice"].mean()
    pooled = find(figures, "cv", POOLED, "", "dice")
    assert pooled.value == pytest.approx(by_class.mean())
    assert find(figures, "cv", POOLED, "lesion", "dice").value == pytest.approx(by_class["lesion"])
    folds = table.groupby(["fold", "class"])["dice"].mean().groupby("fold").mean()
    assert find(figures, "cv", "fold_2", "", "dice").value == pytest.approx(folds["fold_2"])
    assert pooled.std == pytest.approx(folds.std(ddof=1))
    assert (pooled.cases, find(figures, "cv", "fold_1", "", "dice").cases) == (12, 6)
    assert math.isnan(find(figures, "cv", "fold_1", "", "dice").std)
    assert {figure.model for figure in figures} == {POOLED, "fold_1", "fold_2"}


def test_the_interval_is_that_of_a_bootstrap_over_cases(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path)
    table = score_table("fold", ["fold_1", "fold_2"])
    [found] = [f for f in figures_of(ensemble.config, "cv", POOLED, table) if (f.group, f.metric) == ("organ", "hd95")]
    values = table.query("`class` == 'organ'")["hd95"].to_numpy()
    draws = np.random.default_rng(5).integers(12, size=(400, 12))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_summary_csv_holds_every_figure_to_the_last_digit(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path)
    score_table("model", ["fold_1", "fold_2", "mean"]).to_csv(ensemble.folder.scores, index=False)
    figures = write_summary(ensemble)
    table = pd.read_csv(ensemble.folder.summary, float_precision="round_trip", keep_default_na=False, na_values=[""])
    assert table.columns.tolist() == ["set", "model", "class", "metric", "value", "low", "high", "std", "cases"]
    assert table["value"].tolist() == pytest.approx([figure.value for figure in figures], rel=0, abs=0, nan_ok=True)
    assert table["model"].drop_duplicates().tolist() == ["fold_1", "fold_2", "mean"]
    assert len(table) == 3 * 3 * 5


def test_figures_of_two_classes_are_those_of_scikit_learn(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path, classes=["benign", "malignant"])
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 40)
    likely = np.clip(rng.normal(0.3 + 0.4 * truth, 0.3), 0, 1)
    names = np.array(["benign", "malignant"])
    table = pd.DataFrame({"fold": np.where(np.arange(40) < 20, "fold_1", "fold_2"), "case": np.arange(40).astype(str)})
    table["label"], table["prediction"] = names[truth], names[(likely > 0.5).astype(int)]
    table["probability_benign"], table["probability_malignant"] = 1 - likely, likely
    table.to_csv(ensemble.folder.cv, index=False)
    figures = write_summary(ensemble)
    called = likely > 0.5
    expected = {
        "auroc": reference.roc_auc_score(truth, likely),
        "accuracy": reference.accuracy_score(truth, called),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
        "f1": reference.f1_score(truth, called),
        "recall": reference.recall_score(truth, called),
    }
    found = {metric: find(figures, "cv", POOLED, "", metric).value for metric in expected}
    assert found == pytest.approx(expected)
    of_fold = find(figures, "cv", "fold_2", "", "auroc").value
    assert of_fold == pytest.approx(reference.roc_auc_score(truth[20:], likely[20:]))
    assert find(figures, "cv", POOLED, "benign", "f1").value == pytest.approx(
        reference.f1_score(truth, called, pos_label=0)
    )


def table_of_two_classes(truth: np.ndarray, likely: np.ndarray, folds: list[str]) -> pd.DataFrame:
    names = np.array(["benign", "malignant"])
    table = pd.DataFrame({"fold": folds, "case": np.arange(len(folds)).astype(str), "label": names[truth]})
    table["prediction"] = names[(likely > 0.5).astype(int)]
    table["probability_benign"], table["probability_malignant"] = 1 - likely, likely
    return table


def test_folds_that_are_faultless_on_scales_of_their_own_come_to_a_faultless_mean(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path, classes=["benign", "malignant"])
    truth = np.tile(np.repeat([0, 1], 20), 3)
    likely = np.repeat([0.25, 0.5, 0.75], 40) + 0.1 * (truth - 0.5)  # each model is surer than the one before
    folds = np.repeat(["fold_1", "fold_2", "fold_3"], 40).tolist()
    table_of_two_classes(truth, likely, folds).to_csv(ensemble.folder.cv, index=False)
    figures = write_summary(ensemble)
    assert figures[0].model == OVER_FOLDS
    mean, pooled = (find(figures, "cv", model, "", "auroc") for model in (OVER_FOLDS, POOLED))
    assert (mean.value, mean.std, mean.cases) == (1, 0, 120)
    assert pooled.value == pytest.approx(reference.roc_auc_score(truth, likely))
    assert pooled.low < pooled.value < pooled.high < 0.8
    assert math.isnan(pooled.std)
    assert math.isnan(mean.low)


def test_a_fold_without_a_class_is_left_out_of_the_mean_of_what_it_does_not_define(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path, classes=["benign", "malignant"])
    truth = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0])
    likely = np.array([0.1, 0.9, 0.2, 0.1, 0.3, 0.7, 0.6, 0.9, 0.1, 0.9, 0.2, 0.3])
    folds = np.repeat(["fold_1", "fold_2", "fold_3"], 4)
    table_of_two_classes(truth, likely, folds.tolist()).to_csv(ensemble.folder.cv, index=False)
    found = find(write_summary(ensemble), "cv", OVER_FOLDS, "", "auroc")
    own = [reference.roc_auc_score(truth[folds == name], likely[folds == name]) for name in ("fold_1", "fold_2")]
    assert (found.value, found.std) == (pytest.approx(np.mean(own)), pytest.approx(np.std(own, ddof=1)))
