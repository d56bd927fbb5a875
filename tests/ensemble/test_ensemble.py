"""An ensemble from end to end: what is on disk follows from its members, by numpy and nibabel."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from tests.ensemble.conftest import make_config
from tests.reference import scores
from trainlib import predict
from trainlib.check.quick import quick_check
from trainlib.config.schema import Config
from trainlib.ensemble.ensemble import fit_ensemble
from trainlib.ensemble.members import members_of
from trainlib.errors import ConfigError, InputError, Problem
from trainlib.folders.ensemble import Ensemble


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, float_precision="round_trip")


@pytest.fixture(scope="module")
def members_probabilities(finished: Ensemble, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The mean of what `predict --probabilities` writes for each member: case -> shape (classes, ...)."""
    folder = tmp_path_factory.mktemp("probabilities")
    means: dict[str, list[np.ndarray]] = {}
    for member in members_of(finished):
        out = predict(member.config, member.run.checkpoint, out=folder / member.name, probabilities=True)
        for row in pd.read_csv(out / "predictions.csv", dtype=str).itertuples():
            values = np.asarray(nib.load(out / row.probabilities).dataobj)
            means.setdefault(row.case, []).append(np.moveaxis(values, -1, 0))
    assert {len(found) for found in means.values()} == {3}
    return {case: np.mean(found, axis=0) for case, found in means.items()}


def largest_organ(values: np.ndarray) -> np.ndarray:
    """Keep the largest connected component of class 1, diagonal neighbours included, as MONAI does."""
    parts, count = ndimage.label(values == 1, structure=np.ones((3, 3, 3)))
    if count:
        sizes = ndimage.sum_labels(values == 1, parts, range(1, count + 1))
        values = np.where((values == 1) & (parts != 1 + int(np.argmax(sizes))), 0, values)
    return values


def test_the_predictions_are_the_argmax_of_the_mean_of_the_members_probabilities(
    finished: Ensemble, members_probabilities: dict[str, np.ndarray]
) -> None:
    folder = finished.folder.test.predictions
    links = pd.read_csv(folder / "predictions.csv", dtype=str)
    assert links["case"].tolist() == list(members_probabilities)
    for link in links.itertuples():
        written = nib.load(folder / link.prediction)
        expected = largest_organ(members_probabilities[link.case].argmax(axis=0))
        assert np.array_equal(np.asarray(written.dataobj), expected)
        assert np.array_equal(written.affine, nib.load(link.image).affine)


def test_the_scores_of_the_mean_follow_from_the_written_files(finished: Ensemble, phantom: Path) -> None:
    table = read(finished.folder.scores).query("model == 'mean'").set_index(["case", "class"])
    labels = pd.read_csv(phantom / "test.csv")["label"]
    folder = finished.folder.test.predictions
    for link, label_file in zip(pd.read_csv(folder / "predictions.csv").itertuples(), labels, strict=True):
        label = nib.load(phantom / label_file)
        values, truth = np.asarray(nib.load(folder / link.prediction).dataobj), np.asarray(label.dataobj)
        for value, name in ((1, "organ"), (2, "lesion")):
            expected = scores(values == value, truth == value, label.header.get_zooms())
            row = table.loc[(link.case, name)]
            assert {key: row[key] for key in expected} == pytest.approx(expected, abs=1e-4)
    own = read(finished.folder.test.cases)
    assert own.drop(columns="split").equals(read(finished.folder.scores).query("model == 'mean'")
                                            .drop(columns="model").reset_index(drop=True))  # fmt: skip


def test_every_pooled_case_is_scored_once_and_by_the_model_that_did_not_see_it(finished: Ensemble) -> None:
    cv = read(finished.folder.cv)
    pooled = pd.read_csv(finished.folder.pooled)["image"].map(lambda path: Path(path).name.removesuffix(".nii.gz"))
    assert cv["case"].drop_duplicates().tolist() == pooled.tolist()
    assert not cv.duplicated(["case", "class"]).any()
    assert cv.groupby("case")["fold"].nunique().eq(1).all()
    for fold, rows in cv.groupby("fold"):
        train = pd.read_csv(finished.folder.fold_csv(str(fold), "train"))["image"]
        assert not set(rows["case"]) & {Path(path).name.removesuffix(".nii.gz") for path in train}


def test_a_held_out_case_is_scored_in_the_geometry_of_its_label_file(finished: Ensemble, phantom: Path) -> None:
    cv = read(finished.folder.cv).set_index(["case", "class"])
    pooled = pd.concat([pd.read_csv(phantom / f"{split}.csv") for split in ("train", "valid")])
    compared = 0
    for name in finished.members:
        folder = finished.folder.held_out(name).predictions
        for link in pd.read_csv(folder / "predictions.csv").itertuples():
            [label_file] = pooled.loc[[link.image.endswith(image) for image in pooled["image"]], "label"]
            label = nib.load(phantom / label_file)
            values, truth = np.asarray(nib.load(folder / link.prediction).dataobj), np.asarray(label.dataobj)
            expected = scores(values == 2, truth == 2, label.header.get_zooms())
            row = cv.loc[(link.case, "lesion")]
            assert row["fold"] == name
            assert {key: row[key] for key in expected} == pytest.approx(expected, abs=1e-4)
            compared += 1
    assert compared == 9


def test_each_member_stands_beside_the_combinations_with_the_scores_of_its_own_run(finished: Ensemble) -> None:
    table = read(finished.folder.scores)
    assert table["model"].drop_duplicates().tolist() == ["fold_1", "fold_2", "fold_3", "mean", "vote", "staple"]
    for name in finished.members:
        own = read(finished.folder.member(name).cases).query("split == 'test'").drop(columns="split")
        beside = table[table["model"] == name].drop(columns="model")
        assert beside.reset_index(drop=True).equals(own.reset_index(drop=True))


def test_the_same_call_again_trains_and_changes_nothing(finished: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    def contents() -> dict[str, bytes]:
        files = ("cv.csv", "ensemble.csv", "summary.csv", "fold_2/cases.csv", "fold_3/checkpoints/best.ckpt")
        return {name: (finished.folder.path / name).read_bytes() for name in files}

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    before = contents()
    monkeypatch.setattr("trainlib.ensemble.members.fit", refuse)
    monkeypatch.setattr("trainlib.ensemble.ensemble.score_test_set", refuse)
    again, figures = fit_ensemble(finished.config, folds=3)
    assert again.folder == finished.folder
    assert contents() == before
    assert len(figures) == len(read(finished.folder.summary))


def test_the_headers_of_all_files_are_read_once(tmp_path: Path, phantom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_headers: list[str] = []

    def watched(config: Config) -> list[Problem]:
        read_headers.append(config.run.name)
        return quick_check(config)

    monkeypatch.setattr("trainlib.ensemble.opening.quick_check", watched)
    monkeypatch.setattr("trainlib.run.training.quick_check", watched)
    config = make_config(tmp_path, phantom, trainer={"max_epochs": 1}, data={"test_csv": None})
    fit_ensemble(config, folds=2)
    assert read_headers == ["tiny"]
    fit_ensemble(config, folds=2)
    assert read_headers == ["tiny"]


def test_seeds_train_on_the_same_cases_and_differ(tmp_path: Path, phantom: Path) -> None:
    config = make_config(tmp_path, phantom, trainer={"max_epochs": 1}, seed=7)
    ensemble, figures = fit_ensemble(config, seeds=2)
    assert ensemble.members == ("seed_7", "seed_8")
    assert not ensemble.folder.cv.exists()
    assert {figure.set for figure in figures} == {"test"}
    table = read(ensemble.folder.scores)
    first, second = (table[table["model"] == name].drop(columns="model").reset_index(drop=True)
                     for name in ensemble.members)  # fmt: skip
    assert first["case"].equals(second["case"])
    assert not first["dice"].equals(second["dice"])
    [one, _] = members_of(ensemble)
    assert (one.config.seed, one.config.data.train_csv) == (7, "train.csv")
    assert one.held_out is None


def test_without_a_test_set_the_folds_are_scored_alone(tmp_path: Path, phantom: Path) -> None:
    config = make_config(tmp_path, phantom, trainer={"max_epochs": 1}, data={"test_csv": None, "limit_cases": 3})
    ensemble, figures = fit_ensemble(config, folds=2)
    assert not ensemble.folder.scores.exists()
    assert {figure.set for figure in figures} == {"cv"}
    assert read(ensemble.folder.cv)["case"].nunique() == 6


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({}, "Give either --folds or --seeds"),
        ({"folds": 3, "seeds": 3}, "Give either --folds or --seeds"),
        ({"folds": 1}, "--folds: expected at least 2, found 1"),
        ({"seeds": 0}, "--seeds: expected at least 2, found 0"),
    ],
)
def test_numbers_of_members_that_make_no_ensemble_are_refused(
    finished: Ensemble, counts: dict[str, int], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        fit_ensemble(finished.config, **counts)


def test_a_member_that_cannot_be_trained_is_named(
    tmp_path: Path, phantom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("data.batch_size: too many.")

    monkeypatch.setattr("trainlib.ensemble.members.fit", fail)
    with pytest.raises(InputError, match=r"^fold_1: data\.batch_size: too many\.$"):
        fit_ensemble(make_config(tmp_path, phantom), folds=2)
