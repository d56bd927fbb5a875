"""Looking at the cases of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import trainlib
from trainlib.config.load import dump_config
from trainlib.errors import ConfigError
from trainlib.folders.results import load_run
from trainlib.viewer.run import scored_cases

pytest.importorskip("ipywidgets")


@pytest.fixture
def run(write_config: Callable[..., Path], tmp_path: Path, phantom: Path) -> Path:
    """The folder of a run that scored its test cases: the second worst, the third not at all."""
    config = trainlib.load_config(write_config())
    folder = tmp_path / "runs" / "tiny"
    (folder / "predictions").mkdir(parents=True)
    (folder / "config.yaml").write_text(dump_config(config))
    table = pd.read_csv(phantom / "test.csv", dtype=str)
    names = [Path(path).name.removesuffix(".nii.gz") for path in table["image"]]
    scores = [(0.9, 0.7), (0.1, 0.3), (math.nan, math.nan)]
    rows = [
        {"split": "test", "case": name, "class": cls, "dice": dice, "hd95": 2.0, "outcome": "found"}
        for name, pair in zip(names, scores, strict=True)
        for cls, dice in zip(("organ", "lesion"), pair, strict=True)
    ]
    pd.DataFrame(rows).to_csv(folder / "cases.csv", index=False)
    image = nib.load(phantom / table["image"][1])
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), image.affine), folder / "predictions" / "p.nii.gz")
    predicted = pd.DataFrame({"case": [names[1]], "image": [""], "prediction": ["p.nii.gz"]})
    predicted.to_csv(folder / "predictions" / "predictions.csv", index=False)
    return folder


def test_cases_are_listed_from_the_worst_to_the_best(run: Path) -> None:
    cases = scored_cases(load_run(run), "test")
    assert [case.score for case in cases[:2]] == pytest.approx([0.2, 0.8])
    assert math.isnan(cases[2].score)
    assert "dice 0.200" in cases[0].caption
    assert cases[0].details[0] == ("organ", "dice 0.1, hd95 2, found")


def test_the_worst_case_is_open_with_its_files(run: Path, phantom: Path) -> None:
    viewer: Any = trainlib.view_run(run)
    path = pd.read_csv(phantom / "test.csv", dtype=str)["label"][1]
    label = nib.as_closest_canonical(nib.load(phantom / path))
    np.testing.assert_array_equal(viewer.scene.label, np.asanyarray(label.dataobj))
    assert (viewer.scene.prediction == 1).all()
    assert len(viewer.entries) == 3
    viewer.controls["entry"].value = 1
    assert viewer.scene.prediction is None
    assert ("prediction", "no file was kept") in viewer.scene.details


def test_what_a_run_does_not_have_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a run folder"):
        trainlib.view_run(tmp_path / "runs")
    with pytest.raises(ConfigError, match="has scores of test, found 'train'"):
        trainlib.view_run(run, split="train")
    (run / "cases.csv").unlink()
    with pytest.raises(ConfigError, match="has no scores yet"):
        trainlib.view_run(run)


def test_of_a_classification_the_least_probable_truth_comes_first(tmp_path: Path) -> None:
    from trainlib.data.phantom import FINDINGS, make_classification_dataset

    data = make_classification_dataset(tmp_path / "data", spatial_dims=2, cases=(3, 3, 3))
    table = pd.read_csv(data / "test.csv", dtype=str)
    text = f"task: classification\ndata: {{root: {data}, train_csv: train.csv, valid_csv: valid.csv, "
    text += f"test_csv: test.csv, spatial_dims: 2, classes: [{', '.join(FINDINGS)}]}}\n"
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(text)
    rows = []
    for i, (path, label) in enumerate(zip(table["image"], table["label"], strict=True)):
        probabilities = {f"probability_{name}": 0.1 * (i + 1) if name == label else 0.05 for name in FINDINGS}
        name = Path(path).name.partition(".")[0]
        rows.append({"split": "test", "case": name, "label": label, "prediction": FINDINGS[0], **probabilities})
    pd.DataFrame(rows[::-1]).to_csv(folder / "cases.csv", index=False)
    viewer: Any = trainlib.view_run(folder)
    assert [entry.title.partition(" ")[0] for entry in viewer.entries] == [row["case"] for row in rows]
    assert f"true {rows[0]['label']}, predicted {FINDINGS[0]}" in viewer.scene.caption
    assert viewer.scene.dims == 2
