"""Real scans: what the worked config reaches, and whether its figures are right."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.conftest import HIPPOCAMPUS, ROOT
from tests.reference import scores
from trainlib import fit, load_config
from trainlib.folders.results import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason=f"the hippocampus data are not in {HIPPOCAMPUS}"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The worked config as it stands, about six minutes on two cores."""
    folder = tmp_path_factory.mktemp("hippocampus")
    overrides = [f"data.root={HIPPOCAMPUS}", f"run.root={folder}", "emissions.country=DEU"]
    return fit(load_config(ROOT / "configs" / "segmentation_3d.yaml", overrides))


def test_the_mean_foreground_dice_on_the_test_cases_is_good(run: Run) -> None:
    assert run.cases.query("split == 'test'").groupby("class")["dice"].mean().mean() >= 0.86


def test_the_figures_follow_from_the_written_predictions(run: Run) -> None:
    cases = run.cases.query("split == 'test'").set_index(["case", "class"])
    links = pd.read_csv(run.folder.predictions / "predictions.csv")
    assert len(links) == 15
    for link in links.itertuples():
        truth = nib.load(HIPPOCAMPUS / "labels" / Path(link.image).name)
        predicted = nib.load(run.folder.predictions / link.prediction)
        assert predicted.shape == truth.shape
        assert np.array_equal(predicted.affine, nib.load(link.image).affine)
        for value, name in enumerate(["anterior", "posterior"], start=1):
            masks = np.asarray(predicted.dataobj) == value, np.asarray(truth.dataobj) == value
            expected = scores(*masks, truth.header.get_zooms())
            row = cases.loc[(link.case, name)]
            assert {key: row[key] for key in expected} == pytest.approx(expected, abs=1e-4)
