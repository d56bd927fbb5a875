"""Values that are not finite in images and outputs: who is to blame is told, and figures are nan, not wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml

from trainlib import fit, load_config
from trainlib.data.phantom import FINDINGS, make_classification_dataset
from trainlib.tasks.guard import NonFiniteError

WriteConfig = Callable[..., Path]


@pytest.fixture
def with_nan(phantom: Path, tmp_path: Path) -> Path:
    """The phantom with nan in images of the first training case and the second of validation and test."""
    folder = tmp_path / "data"
    shutil.copytree(phantom, folder)
    for case in ("case_000", "case_007", "case_010"):
        path = folder / "images" / f"{case}.nii.gz"
        image = nib.load(path)
        array = np.asarray(image.dataobj).astype(np.float32)
        array[11:13, 11:13, 6:8] = np.nan
        nib.save(nib.Nifti1Image(array, image.affine), path)
    return folder


BASE = [
    "LoadImaged",
    "EnsureChannelFirstd",
    {"ScaleIntensityRanged": {"a_min": 0, "a_max": 500, "b_min": 0, "b_max": 1}},
]


def test_an_image_with_nan_is_blamed_and_not_the_training(
    write_config: WriteConfig, with_nan: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trainlib")
    crop = {"ResizeWithPadOrCropd": {"spatial_size": [16, 16, 8]}}
    path = write_config(data={"root": str(with_nan)}, transforms={"base": BASE, "train": [crop]})
    with pytest.raises(NonFiniteError) as caught:
        fit(load_config(path))
    begin, blame, rest = str(caught.value).partition("The image, not the training, is to blame: ")
    assert begin.startswith("epoch 1/2, step 2: the loss is nan for ")
    assert "train.csv:2 (case_000.nii.gz)" in begin
    assert blame
    assert rest.startswith(
        "after the transforms it holds values that are not finite (train.csv:2 (case_000.nii.gz) with 8 voxels). "
        "Correct the file, leave its row out, or put SignalFillEmptyd"
    )
    assert "optimizer" not in rest
    run = fit(load_config(path, ["trainer_guard.max_nonfinite=2"]))
    skipped = [text for text in caplog.messages if "The batch is skipped" in text]
    assert [text.count("The image, not the training, is to blame") for text in skipped] == [1, 1]
    assert run.metrics["train/loss"].notna().all()
    told = [record.getMessage() for record in caplog.records if "of such cases mean" in record.getMessage()]
    of_split = "The image holds values that are not finite: {} Scores and predictions of such cases mean nothing."
    valid, test = (of_split.format(f"{c}.") for c in ("valid.csv:3 (case_007.nii.gz)", "test.csv:3 (case_010.nii.gz)"))
    assert told == [valid, valid, valid, test]
    filled = write_config(data={"root": str(with_nan)}, transforms={"base": [BASE[0], "SignalFillEmptyd", *BASE[1:]]})
    assert fit(load_config(filled)).metrics["valid/loss"].notna().all()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PNG pictures of three findings."""
    return make_classification_dataset(
        tmp_path_factory.mktemp("findings") / "data", spatial_dims=2, cases=(8, 4, 4), file_format="png"
    )


SPOIL = """
from monai.transforms import MapTransform

class Spoild(MapTransform):
    def __init__(self, keys, cases):
        super().__init__(keys)
        self.cases = cases
    def __call__(self, data):
        if any(case in str(data["image"].meta["filename_or_obj"]) for case in self.cases):
            data["image"][0, 3, 4] = float("nan")
        return data
"""


def classification(pictures: Path, tmp_path: Path, spoiled: list[str], **sections: Any) -> Path:
    """Write a config for a network with batch normalisation and images of which some hold nan."""
    (tmp_path / "spoil.py").write_text(SPOIL)
    data = {"root": str(pictures), "train_csv": "train.csv", "valid_csv": "valid.csv", "test_csv": "test.csv"}
    spoil = {"Spoild": {"keys": ["image"], "cases": spoiled}}
    size = {"Resized": {"spatial_size": [32, 32]}}
    content: dict[str, Any] = {
        "run": {"root": str(tmp_path / "runs")},
        "task": "classification",
        "data": data | {"spatial_dims": 2, "batch_size": 4, "num_workers": 0, "classes": FINDINGS},
        "transforms": {"base": ["LoadImaged", "EnsureChannelFirstd", size, "NormalizeIntensityd", spoil], "train": []},
        "model": {"DenseNet": {"init_features": 4, "growth_rate": 2, "block_config": [1]}},
        "patch": {"transforms": str(tmp_path / "spoil.py")},
        "trainer": {"max_epochs": 2},
        "report": None,
        "progress": None,
        "emissions": None,
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content | sections))
    return path


def test_statistics_of_batch_normalisation_are_as_before_a_batch_that_is_skipped(
    pictures: Path, tmp_path: Path
) -> None:
    skip = {"trainer_guard": {"max_nonfinite": 10}, "trainer": {"max_epochs": 1}}
    run = fit(load_config(classification(pictures, tmp_path, ["case_000"], **skip)))
    state = torch.load(run.folder.last, weights_only=True)
    assert state["trainlib"]["nonfinite"] == 1
    counted = [value for name, value in state["state_dict"].items() if name.endswith("num_batches_tracked")]
    assert counted
    assert all(int(value) == 1 for value in counted)  # of two batches
    assert all(bool(value.isfinite().all()) for value in state["state_dict"].values())
    assert run.metrics.filter(regex="^valid/(loss|accuracy)$").notna().all(axis=None)


def test_one_validation_image_with_nan_makes_the_figures_of_a_classification_nan(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trainlib")
    run = fit(load_config(classification(pictures, tmp_path, ["case_009"])))
    assert run.metrics.filter(regex="^valid/").isna().all(axis=None)
    assert run.metrics["train/loss"].notna().all()
    rows = run.cases[run.cases["split"] == "valid"].set_index("case")
    probabilities = rows.filter(regex="^probability_")
    assert probabilities.isna().all(axis=1).to_dict() == {f"case_{i:03}": i == 9 for i in range(8, 12)}
    assert "The image holds values that are not finite: valid.csv:3 (case_009.png)." in caplog.text


def test_a_network_that_gives_no_validation_case_a_finite_output_ends_the_run(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "network.py").write_text(
        "import torch\n"
        "from monai.networks.nets import UNet\n"
        "class Diverging(UNet):\n"
        "    def forward(self, image):\n"
        "        if self.training:\n"
        "            self.steps.add_(1)\n"
        "        return super().forward(image) * (float('inf') if self.steps > 3 and not self.training else 1)\n"
        "def get_model(config):\n"
        "    network = Diverging(3, 1, 3, [4, 8], [2])\n"
        "    network.register_buffer('steps', torch.zeros(()))\n"
        "    return network\n"
    )
    path = write_config(patch={"model": str(tmp_path / "network.py")}, trainer_guard={"max_nonfinite": 100})
    with pytest.raises(NonFiniteError) as caught:
        fit(load_config(path))
    last = tmp_path / "runs" / "tiny" / "checkpoints" / "last.ckpt"
    assert str(caught.value).startswith(
        "epoch 2/2, step 6: the network gave no validation case a finite output. Lower "
    )
    assert str(caught.value).endswith(f"`--ckpt_path {last}`.")
    assert torch.load(last, weights_only=True)["epoch"] == 0
