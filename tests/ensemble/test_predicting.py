"""Prediction with all members: label maps, probabilities and uncertainty in the geometry of the image."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from trainlib import predict
from trainlib.config.schema import Config
from trainlib.ensemble.members import members_of
from trainlib.ensemble.predicting import predict_ensemble
from trainlib.errors import CheckpointError, ConfigError, DataError
from trainlib.folders.ensemble import Ensemble, read_ensemble


def values(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


@pytest.fixture(scope="module")
def new(finished: Ensemble, tmp_path_factory: pytest.TempPathFactory, phantom: Path) -> Config:
    """The config with two new cases without labels, one of them called like the other."""
    folder = tmp_path_factory.mktemp("new")
    rows = []
    for place, image in zip(("a", "b"), pd.read_csv(phantom / "test.csv")["image"], strict=False):
        (folder / place).mkdir()
        shutil.copy(phantom / image, folder / place / "scan.nii.gz")
        rows.append({"image": f"{place}/scan.nii.gz"})
    pd.DataFrame(rows).to_csv(folder / "new.csv", index=False)
    data = finished.config.data.model_copy(update={"root": str(folder), "predict_csv": "new.csv"})
    return finished.config.model_copy(update={"data": data})


@pytest.fixture(scope="module")
def alone(finished: Ensemble, new: Config, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What each member predicts alone."""
    folder = tmp_path_factory.mktemp("alone")
    return [
        predict(new, member.run.checkpoint, out=folder / member.name, probabilities=True)
        for member in members_of(finished)
    ]


def test_mean_probabilities_and_entropy_are_those_of_numpy_and_scipy(
    finished: Ensemble, new: Config, alone: list[Path], tmp_path: Path
) -> None:
    out = predict_ensemble(finished, new, out=tmp_path / "out", probabilities=True, uncertainty=True)
    links = pd.read_csv(out / "predictions.csv", dtype=str)
    assert links.columns.tolist() == ["case", "image", "prediction", "probabilities", "uncertainty"]
    assert links["case"].tolist() == ["a_scan", "b_scan"]
    for link in links.itertuples():
        mean = np.mean([values(folder / link.probabilities) for folder in alone], axis=0)
        assert values(out / link.probabilities) == pytest.approx(mean, abs=1e-6)
        image, uncertainty = nib.load(link.image), nib.load(out / link.uncertainty)
        assert values(out / link.uncertainty) == pytest.approx(entropy(mean.astype(float), axis=-1), abs=1e-5)
        assert uncertainty.shape == image.shape
        assert np.array_equal(uncertainty.affine, image.affine)
        assert uncertainty.get_data_dtype() == np.float32
        assert 0 < values(out / link.uncertainty).max() <= np.log(3) + 1e-6
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*links["prediction"], *links["probabilities"], *links["uncertainty"], "predictions.csv"]
    )


def test_a_vote_is_the_class_that_most_members_predict(
    finished: Ensemble, new: Config, alone: list[Path], tmp_path: Path
) -> None:
    out = predict_ensemble(finished, new, out=tmp_path / "out", method="vote")
    maps = np.stack([values(folder / "a_scan.nii.gz") for folder in alone])
    voted = values(out / "a_scan.nii.gz")
    counts = np.stack([(maps == value).sum(axis=0) for value in range(3)])
    agreed = counts.max(axis=0) >= 2
    # The post-processing leaves one component of class 1.
    where = agreed & (counts.argmax(axis=0) != 1)
    assert where.mean() > 0.5
    assert np.array_equal(voted[where], counts.argmax(axis=0)[where])
    assert (voted[agreed & (counts.argmax(axis=0) == 1)] == 1).mean() > 0.5


def test_staple_gives_a_label_map_and_the_mean_its_probabilities(
    finished: Ensemble, new: Config, tmp_path: Path
) -> None:
    out = predict_ensemble(finished, new, out=tmp_path / "staple", method="staple", probabilities=True)
    assert set(np.unique(values(out / "a_scan.nii.gz"))) <= {0, 1, 2}
    assert values(out / "a_scan_probabilities.nii.gz").sum(axis=-1) == pytest.approx(1, abs=1e-3)


def test_predictions_go_into_a_new_folder_of_the_ensemble(finished: Ensemble, new: Config) -> None:
    first = predict_ensemble(finished, new)
    second = predict_ensemble(finished, new)
    assert (first.parent, second.parent) == (finished.folder.path, finished.folder.path)
    assert second.name == f"predictions{'_2' if first.name == 'predictions' else ''}"
    assert [*second.glob(".scratch*"), *second.parent.glob(".scratch-*")] == []


def test_a_folder_that_holds_files_is_refused_unless_overwriting_is_asked_for(
    finished: Ensemble, new: Config, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(ConfigError, match=f"--out: {tmp_path} holds files already"):
        predict_ensemble(finished, new, out=tmp_path)
    predict_ensemble(finished, new, out=tmp_path, overwrite=True)
    assert (tmp_path / "a_scan.nii.gz").is_file()


def test_an_image_is_never_overwritten(finished: Ensemble, new: Config, phantom: Path, tmp_path: Path) -> None:
    shutil.copytree(phantom, tmp_path / "data")
    data = finished.config.data.model_copy(update={"root": str(tmp_path / "data")})
    config = finished.config.model_copy(update={"data": data})
    with pytest.raises(ConfigError, match="would overwrite an image"):
        predict_ensemble(finished, config, out=tmp_path / "data" / "images", overwrite=True)


def test_members_that_are_not_trained_are_named(finished: Ensemble, new: Config, tmp_path: Path) -> None:
    shutil.copytree(finished.folder.path, tmp_path / "tiny")
    copied = read_ensemble(tmp_path / "tiny")
    for name in ("fold_1", "fold_3"):
        (copied.folder.member(name).path / "member.json").unlink()
    with pytest.raises(CheckpointError) as error:
        predict_ensemble(copied, new, out=tmp_path / "out")
    assert "fold_1 is not trained to its end. Run `trainlib ensemble` again." in str(error.value)
    assert "fold_3" in str(error.value)


@pytest.mark.parametrize(
    ("section", "update", "sentence"),
    [
        ("data", {"classes": ["background", "organ"]}, r"data\.classes is .* was trained with"),
        ("data", {"predict_csv": "no.csv"}, r"no\.csv: there is no such CSV file"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    finished: Ensemble, new: Config, tmp_path: Path, section: str, update: dict[str, Any], sentence: str
) -> None:
    config = new.model_copy(update={section: getattr(new, section).model_copy(update=update)})
    with pytest.raises((CheckpointError, DataError), match=sentence):
        predict_ensemble(finished, config, out=tmp_path / "out")


def test_several_devices_are_refused_before_anything_is_made(finished: Ensemble, new: Config, tmp_path: Path) -> None:
    config = new.model_copy(update={"trainer": new.trainer | {"accelerator": "cpu", "devices": 2}})
    with pytest.raises(ConfigError, match=r"trainer\.devices: found 2, but `trainlib predict` gives each model one"):
        predict_ensemble(finished, config, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
