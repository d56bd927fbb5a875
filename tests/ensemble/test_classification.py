"""Ensembles of classifications: probabilities, votes, out-of-fold figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import entropy
from sklearn import metrics as reference

from trainlib import load_config, predict
from trainlib.config.schema import Config
from trainlib.data.phantom import make_classification_dataset
from trainlib.ensemble.ensemble import fit_ensemble
from trainlib.ensemble.members import members_of
from trainlib.ensemble.predicting import predict_ensemble
from trainlib.errors import ConfigError
from trainlib.folders.ensemble import Ensemble
from trainlib.report.ensemble import write_ensemble_report


def make(folder: Path, *, multilabel: bool = False, **sections: Any) -> Config:
    root = make_classification_dataset(
        folder / "data", spatial_dims=2, cases=(12, 6, 7), file_format="png", multilabel=multilabel
    )
    labels = [name for name in pd.read_csv(root / "train.csv").columns if name != "image"]
    data = {"root": str(root), "label_cols": labels, "spatial_dims": 2, "batch_size": 4, "num_workers": 0}
    content: dict[str, Any] = {
        "run": {"name": "tiny", "root": str(folder / "runs")},
        "task": "classification",
        "data": data | {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")},
        "transforms": {
            "base": ["LoadImaged", "EnsureChannelFirstd", "NormalizeIntensityd",
                     {"ResizeWithPadOrCropd": {"spatial_size": [32, 32]}}],
            "train": [{"RandFlipd": {"spatial_axis": 0}}],
        },
        "model": {"DenseNet": {"init_features": 4, "growth_rate": 4, "block_config": [2]}},
        "trainer": {"max_epochs": 2},
        **dict.fromkeys(("emissions", "report", "progress")),
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(content | sections, sort_keys=False))
    return load_config(folder / "config.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    """Three folds of three findings."""
    return fit_ensemble(make(tmp_path_factory.mktemp("findings")), folds=3)[0]


@pytest.fixture(scope="module")
def multilabel(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    """Two folds of pictures with several findings each."""
    return fit_ensemble(make(tmp_path_factory.mktemp("several"), multilabel=True), folds=2)[0]


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, float_precision="round_trip", keep_default_na=False)


def likely(table: pd.DataFrame, classes: list[str]) -> np.ndarray:
    return table[[f"probability_{name}" for name in classes]].to_numpy(dtype=float)


def test_the_figures_over_folds_are_those_of_scikit_learn_on_the_out_of_fold_predictions(finished: Ensemble) -> None:
    classes = finished.config.data.classes
    cv = read(finished.folder.cv)
    assert cv["case"].nunique() == len(cv) == 18
    probabilities, truth = likely(cv, classes), cv["label"].map(classes.index).to_numpy()
    called = probabilities.argmax(axis=1)
    summary = read(finished.folder.summary).query("set == 'cv' and model == 'all folds'").set_index(["class", "metric"])
    expected = {
        "accuracy": reference.accuracy_score(truth, called),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
        "f1": reference.f1_score(truth, called, average="macro"),
        "auroc": reference.roc_auc_score(truth, probabilities, multi_class="ovr"),
    }
    assert {name: float(summary.loc[("", name), "value"]) for name in expected} == pytest.approx(expected)
    own = [reference.accuracy_score(rows["label"], rows["prediction"]) for _, rows in cv.groupby("fold", sort=False)]
    table = read(finished.folder.summary).query("set == 'cv' and model == 'mean of folds'")
    row = table.set_index(["class", "metric"]).loc[("", "accuracy")]
    assert float(row["value"]) == pytest.approx(np.mean(own))
    assert float(row["std"]) == pytest.approx(np.std(own, ddof=1))


@pytest.mark.parametrize("kind", ["finished", "multilabel"])
def test_mean_and_vote_follow_from_the_predictions_of_the_members(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    ensemble: Ensemble = request.getfixturevalue(kind)
    config, classes = ensemble.config, ensemble.config.data.classes
    alone = np.stack([
        likely(read(predict(m.config, m.run.checkpoint, out=tmp_path / m.name) / "predictions.csv"), classes)
        for m in members_of(ensemble)
    ])  # fmt: skip
    mean = read(predict_ensemble(ensemble, config, out=tmp_path / "mean", uncertainty=True) / "predictions.csv")
    assert likely(mean, classes) == pytest.approx(alone.mean(axis=0), abs=1e-12)
    vote = read(predict_ensemble(ensemble, config, out=tmp_path / "vote", method="vote") / "predictions.csv")
    votes = alone > 0.5 if config.multilabel else alone.argmax(axis=2)[..., None] == np.arange(len(classes))
    assert likely(vote, classes) == pytest.approx(votes.mean(axis=0), abs=1e-5)
    averaged = alone.mean(axis=0)
    if config.multilabel:
        expected = entropy(np.stack([averaged, 1 - averaged]), axis=0).sum(axis=1)
        assert (
            mean[[f"prediction_{name}" for name in classes]].to_numpy().tolist()
            == (averaged > 0.5).astype(int).tolist()
        )
    else:
        expected = entropy(averaged, axis=1)
        assert mean["prediction"].tolist() == [classes[value] for value in averaged.argmax(axis=1)]
    assert mean["uncertainty"].to_numpy(dtype=float) == pytest.approx(expected, abs=1e-12)


def test_the_table_of_the_test_set_has_every_model_with_the_figures_of_its_predictions(multilabel: Ensemble) -> None:
    table = read(multilabel.folder.scores)
    assert table["model"].value_counts(sort=False).to_dict() == {"fold_1": 7, "fold_2": 7, "mean": 7, "vote": 7}
    classes = multilabel.config.data.classes
    rows = table[table["model"] == "mean"]
    summary = read(multilabel.folder.summary).query("set == 'test' and model == 'mean'").set_index(["class", "metric"])
    for name in classes:
        truth = rows[f"label_{name}"].to_numpy(dtype=int)
        if 0 < truth.sum() < 7:
            expected = reference.roc_auc_score(truth, rows[f"probability_{name}"].to_numpy(dtype=float))
            assert float(summary.loc[(name, "auroc"), "value"]) == pytest.approx(expected)


def test_staple_is_refused(finished: Ensemble, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--method staple: STAPLE weighs label maps, and a classification has none"):
        predict_ensemble(finished, finished.config, out=tmp_path / "out", method="staple")


@pytest.mark.parametrize("kind", ["finished", "multilabel"])
def test_the_report_tells_the_figures_of_all_folds(kind: str, request: pytest.FixtureRequest) -> None:
    ensemble: Ensemble = request.getfixturevalue(kind)
    text = write_ensemble_report(ensemble.folder.path).read_text(encoding="utf-8")
    summary = read(ensemble.folder.summary).query("set == 'cv' and `class` == '' and metric == 'auroc'")
    row = summary.set_index("model").loc["mean of folds"]
    value, std = float(row["value"]), float(row["std"])
    pooled = float(summary.set_index("model").loc["all folds", "value"])
    assert f'AUROC, cross-validated, mean of folds</span>\n        <span class="value">{value:.3f}</span>' in text
    assert f"± {std:.3f} over the folds" in text
    assert f"all cases pooled {pooled:.3f}" in text
    assert "Most confident mistakes" in text
