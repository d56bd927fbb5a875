"""Real scans: three folds of a short training, cross-validated and combined."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from tests.conftest import HIPPOCAMPUS, ROOT
from trainlib import load_config, predict
from trainlib.ensemble.ensemble import fit_ensemble
from trainlib.ensemble.members import members_of
from trainlib.folders.ensemble import Ensemble

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason=f"the hippocampus data are not in {HIPPOCAMPUS}"),
]


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    """Three folds of the worked config with 16 epochs, about five minutes on two cores."""
    folder = tmp_path_factory.mktemp("hippocampus")
    overrides = [f"data.root={HIPPOCAMPUS}", f"run.root={folder}", "trainer.max_epochs=16", "emissions=null"]
    return fit_ensemble(load_config(ROOT / "configs" / "segmentation_3d.yaml", overrides), folds=3)[0]


def largest_components(values: np.ndarray) -> np.ndarray:
    """Keep the largest connected component of each class, diagonal neighbours included."""
    kept = np.zeros_like(values)
    for value in (1, 2):
        parts, count = ndimage.label(values == value, structure=np.ones((3, 3, 3)))
        if count:
            sizes = ndimage.sum_labels(values == value, parts, range(1, count + 1))
            kept[parts == 1 + int(np.argmax(sizes))] = value
    return kept


def test_each_of_the_85_cases_is_cross_validated_once(ensemble: Ensemble) -> None:
    cv = pd.read_csv(ensemble.folder.cv)
    rows = pd.concat([pd.read_csv(HIPPOCAMPUS / f"{split}.csv") for split in ("train", "valid")])
    assert len(rows) == 85
    assert sorted(cv["case"].unique()) == sorted(Path(path).name.removesuffix(".nii.gz") for path in rows["image"])
    assert cv.groupby("case")["fold"].nunique().eq(1).all()
    assert not cv.duplicated(["case", "class"]).any()
    assert sorted(cv.groupby("fold")["case"].nunique()) == [28, 28, 29]


def test_the_mean_of_the_members_probabilities_gives_the_predictions(ensemble: Ensemble, tmp_path: Path) -> None:
    outs = [
        predict(member.config, member.run.checkpoint, out=tmp_path / member.name, probabilities=True)
        for member in members_of(ensemble)
    ]
    links = pd.read_csv(ensemble.folder.test.predictions / "predictions.csv")
    assert len(links) == 15
    for link in links.itertuples():
        found = [np.asarray(nib.load(out / f"{link.case}_probabilities.nii.gz").dataobj) for out in outs]
        expected = largest_components(np.mean(found, axis=0).argmax(axis=-1))
        written = nib.load(ensemble.folder.test.predictions / link.prediction)
        assert np.array_equal(np.asarray(written.dataobj), expected)
        assert np.array_equal(written.affine, nib.load(link.image).affine)


def test_the_ensemble_is_at_least_as_good_as_its_median_member(ensemble: Ensemble) -> None:
    scores = pd.read_csv(ensemble.folder.scores)
    dice = scores.groupby(["model", "class"])["dice"].mean().groupby("model").mean()
    assert dice["mean"] >= dice[list(ensemble.members)].median()
    assert dice["mean"] > 0.8
