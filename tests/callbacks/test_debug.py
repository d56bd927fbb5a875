"""`trainlib fit --debug` from end to end."""

from __future__ import annotations

import csv
import logging
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.debug.test_mirrored import case
from trainlib import fit, load_config
from trainlib.callbacks.debug import DebugChecks
from trainlib.checkpoints.checkpoint import read_checkpoint
from trainlib.config.debug import debug_config
from trainlib.config.schema import Config
from trainlib.data.phantom import make_dataset
from trainlib.errors import ConfigError, DataError
from trainlib.folders.results import Run

WriteConfig = Callable[..., Path]

CHECKS = ["classes", "foreground", "orientation", "intensities", "same scale", "together (base)", "together (train)"]
CHECKS += ["output channels", "activation", "loss", "gradients", "learning rate", "overfit a batch"]

FLIP = """\
from monai.transforms import MapTransform, RandomizableTransform

class RandTurnd(RandomizableTransform, MapTransform):
    def __init__(self, keys=("image", "label"), prob=0.5):
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)

    def __call__(self, data):
        self.randomize(None)
        return {**data, "image": data["image"].flip(1)} if self._do_transform else data

class Turnd(RandTurnd):
    def __init__(self, keys=("image", "label")):
        super().__init__(keys, 1.0)
"""
MODEL = """\
from monai.networks.nets import UNet
from torch import nn

def get_model(config):
    network = UNet(3, 1, 3, channels=(4, 8), strides=(2,))
    {change}
    return network
"""


def findings(run: Run) -> dict[str, tuple[str, str]]:
    """Level and text of every check of a run."""
    with (run.folder.debug / "findings.csv").open(encoding="utf-8") as file:
        return {row["check"]: (row["level"], row["text"]) for row in csv.DictReader(file)}


def wrong(run: Run) -> dict[str, str]:
    """The checks that found something."""
    return {check: level for check, (level, _) in findings(run).items() if level != "ok"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 7 training, 3 validation and 3 test cases."""
    return make_dataset(tmp_path_factory.mktemp("debug") / "data", cases=(7, 6, 3), shape=(24, 24, 14))


@pytest.fixture
def config(data: Path, write_config: WriteConfig) -> Callable[..., Config]:
    """Make a config for the data set."""

    def make(*overrides: str, **sections: Any) -> Config:
        model = {"UNet": {"channels": [8, 16], "strides": [2], "num_res_units": 1}}
        sections = {"model": model} | sections | {"data": {"root": str(data)} | sections.get("data", {})}
        return load_config(write_config(**sections), overrides)

    return make


@pytest.fixture(scope="module")
def sound(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A debug run of the demo, in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("sound")
    overrides = [f"data.root={data}", f"run.root={folder}", "transforms.train[2].RandFlipd.prob=0.3"]
    return fit(load_config("configs/demo.yaml", overrides), debug=True)


def test_a_sound_config_passes_every_check(sound: Run) -> None:
    assert list(findings(sound)) == CHECKS
    assert wrong(sound) == {}


def test_a_debug_run_is_an_ordinary_run_of_two_epochs_on_five_cases(sound: Run) -> None:
    assert sound.folder.path.name == "demo_debug"
    assert sound.metrics["epoch"].tolist() == [0, 1]
    assert sound.cases.groupby("split")["case"].nunique().to_dict() == {"valid": 5, "test": 3}
    assert load_config(sound.folder.config) == sound.config
    assert sound.config.data.limit_cases == 5
    assert sound.config.transforms.train[2].kwargs["prob"] == 1.0
    assert sound.folder.best.is_file()
    assert not sound.folder.report.exists()


def test_statistics_cover_files_prepared_cases_and_augmented_windows(sound: Run, data: Path) -> None:
    table = pd.read_csv(sound.folder.debug / "statistics.csv")
    assert table.groupby(["stage", "key"]).size().to_dict() == {
        (stage, key): 5 for stage in ("file", "base", "train") for key in ("image", "label")
    }
    first = table.query("stage == 'file' and key == 'image'").iloc[0]
    row = pd.read_csv(data / "train.csv").iloc[0]
    voxels = np.asarray(nib.load(data / row["image"]).dataobj)
    assert first["shape"] == " x ".join(map(str, voxels.shape))
    assert first["dtype"] == str(voxels.dtype)
    expected = [voxels.min(), voxels.max(), voxels.mean(), voxels.std()]
    assert first[["min", "max", "mean", "std"]].tolist() == pytest.approx(expected, rel=1e-3)
    label = table.query("stage == 'file' and key == 'label'").iloc[0]
    assert label["values"] == "0 1 2"
    assert set(table.query("stage == 'train'")["shape"]) == {"40 x 40 x 24"}


def test_sheets_show_the_cases_and_the_first_batches(sound: Run) -> None:
    sheets = {path.stem: Image.open(path).size for path in sound.folder.debug.glob("*.png")}
    assert sheets.keys() == {"cases", "batch_0", "batch_1"}
    assert sheets["batch_0"][1] > sheets["batch_1"][1] > 200  # four cases, and the one that is left


def test_the_training_goes_on_as_if_nothing_had_been_checked(config: Callable[..., Config]) -> None:
    checked = fit(config(), debug=True)
    plain = fit(debug_config(config()))
    assert not plain.folder.debug.exists()
    one, other = (read_checkpoint(run.folder.last)["state_dict"] for run in (checked, plain))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert checked.metrics.drop(columns="seconds").equals(plain.metrics.drop(columns="seconds"))


def test_findings_are_told_at_the_end_with_the_count(config: Callable[..., Config], caplog: Any) -> None:
    with caplog.at_level(logging.INFO, "trainlib"):
        run = fit(config("loss.DiceCELoss.softmax=false"), debug=True)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("trainlib")]
    start = lines.index("What the checks found:")
    assert lines[start - 1].startswith("epoch 2/2")
    assert any(line.startswith("  PROBLEM activation") for line in lines[start:])
    assert lines[-1] == f"1 problem and no warnings found. Look at the pictures too: {run.folder.debug}"
    assert "PROBLEM activation" in run.folder.log.read_text()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["loss.DiceCELoss.softmax=false"], {"activation": "problem"}),
        (["optimizer.AdamW.lr=30"], {"learning rate": "warning", "overfit a batch": "problem"}),
        (["optimizer.AdamW.lr=1e-9"], {"overfit a batch": "problem"}),
        (["transforms.base=[LoadImaged, EnsureChannelFirstd]"], {"intensities": "warning"}),
        (["loss={CrossEntropyLoss: {weight: [1, 1, 0]}}"], {"loss": "warning"}),
        (["data.classes=[background, organ, lesion, cyst]"], {"classes": "warning"}),
        (["patch.transforms=FLIP", "transforms.train[2]=RandTurnd"], {"together (train)": "problem"}),
        (["patch.model=SOFTMAX"], {"activation": "problem"}),
        (["patch.model=UNUSED"], {"gradients": "warning"}),
        (["patch.model=FROZEN"], {}),
    ],
)
def test_a_planted_mistake_is_found_and_nothing_else(
    config: Callable[..., Config], tmp_path: Path, overrides: list[str], expected: dict[str, str]
) -> None:
    scripts = {
        "FLIP": FLIP,
        "SOFTMAX": MODEL.format(change="network = nn.Sequential(network, nn.Softmax(dim=1))"),
        "UNUSED": MODEL.format(change="network.auxiliary = nn.Conv3d(4, 4, 3)"),
        "FROZEN": MODEL.format(change="next(network.parameters()).requires_grad_(False)"),
    }
    for name, text in scripts.items():
        (tmp_path / f"{name}.py").write_text(text)
        overrides = [override.replace(name, str(tmp_path / f"{name}.py")) for override in overrides]
    assert wrong(fit(config(*overrides), debug=True)) == expected


def test_normalisation_in_the_augmentation_alone_is_found(config: Callable[..., Config]) -> None:
    run = fit(
        config(
            transforms={
                "base": ["LoadImaged", "EnsureChannelFirstd"],
                "train": ["NormalizeIntensityd", {"ResizeWithPadOrCropd": {"spatial_size": [16, 16, 8]}}],
            }
        ),
        debug=True,
    )
    assert wrong(run) == {"intensities": "warning", "same scale": "problem"}


def test_base_transforms_that_turn_the_image_alone_are_found(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "flip.py").write_text(FLIP)
    base = "transforms.base=[LoadImaged, EnsureChannelFirstd, NormalizeIntensityd, Turnd]"
    # A random transform is refused there, so that one is planted that is not.
    (tmp_path / "flip.py").write_text(FLIP.replace("class Turnd(RandTurnd)", "class Turnd(MapTransform)").replace(
        "super().__init__(keys, 1.0)", "super().__init__(keys)\n\n    def __call__(self, data):\n"
        "        return {**data, 'image': data['image'].flip(1)}"))  # fmt: skip
    run = fit(config(base, f"patch.transforms={tmp_path / 'flip.py'}"), debug=True)
    level, text = findings(run)["together (base)"]
    assert level == "problem"
    assert text.startswith("After Turnd in transforms.base")


def test_labels_that_were_saved_the_wrong_way_round_are_found(write_config: WriteConfig, tmp_path: Path) -> None:
    for seed in range(5):
        image, label = case(seed, (20, 20, 20))
        for name, values in (("image", image), ("label", label.flip(1))):
            nib.save(nib.Nifti1Image(values[0].numpy(), np.eye(4)), tmp_path / f"{name}_{seed}.nii")
    table = pd.DataFrame({name: [f"{name}_{seed}.nii" for seed in range(5)] for name in ("image", "label")})
    table.to_csv(tmp_path / "train.csv", index=False)
    table.replace("_", "_valid_", regex=True).to_csv(tmp_path / "valid.csv", index=False)
    for path in list(tmp_path.glob("*.nii")):
        shutil.copy(path, path.with_name(path.name.replace("_", "_valid_")))
    data = {"root": str(tmp_path), "test_csv": None, "classes": ["background", "block"]}
    base = ["LoadImaged", "EnsureChannelFirstd", "NormalizeIntensityd"]
    run = fit(load_config(write_config(data=data, transforms={"base": base})), debug=True)
    level, text = findings(run)["orientation"]
    assert level == "warning"
    assert text.startswith(
        "In all 5 cases, the labels fit the edges in the images better when mirrored along the first"
    )


def test_the_checks_use_the_rates_of_the_schedule(config: Callable[..., Config]) -> None:
    texts = {
        "optimizer.AdamW.lr (now 0.01)": [],
        "scheduler.OneCycleLR.max_lr (now 0.02)": ["scheduler.OneCycleLR.max_lr=0.02"],
    }
    for text, overrides in texts.items():
        found = findings(fit(config(*overrides), debug=True))
        assert found["learning rate"] == ("ok", f"The loss does not jump in the first steps at {text}.")


def test_checkpoints_and_debug_exclude_each_other(config: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"^--debug looks at the beginning of a training\. Leave --ckpt_path out\.$"):
        fit(config(), ckpt_path="last", debug=True)


def test_a_row_beyond_the_first_five_is_still_checked(config: Callable[..., Config], data: Path) -> None:
    table = pd.read_csv(data / "train.csv")
    table.loc[6, "image"] = "images/absent.nii.gz"
    table.to_csv(data / "broken.csv", index=False)
    with pytest.raises(DataError, match=r"broken.csv:8: column 'image': there is no file"):
        fit(config("data.train_csv=broken.csv"), debug=True)


def test_only_the_first_cases_are_prepared(config: Callable[..., Config], data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "copy")
    row = pd.read_csv(data / "train.csv").iloc[5]
    (tmp_path / "copy" / row["image"]).write_text("no image")
    with pytest.raises(DataError, match=r"train\.csv:7"):
        fit(config(data={"root": str(tmp_path / "copy")}))
    assert wrong(fit(config(data={"root": str(tmp_path / "copy")}), debug=True)) == {}


def test_a_check_that_fails_does_not_end_the_run(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("trainlib.debug.practice.outputs_of", broken)
    run = fit(config(), debug=True)
    assert wrong(run) == {"activation": "warning"}
    assert findings(run)["activation"][1] == "This check could not be made: RuntimeError: a bug."
    monkeypatch.setattr(DebugChecks, "_look_at_data", broken)
    with caplog.at_level(logging.WARNING, "trainlib"):
        assert fit(config(), debug=True).metrics["epoch"].tolist() == [0, 1]
    assert "DebugChecks failed and is switched off: RuntimeError: a bug." in caplog.text


def test_the_command_line_tells_and_ends_well(
    write_config: WriteConfig, data: Path, cli: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    path = write_config(data={"root": str(data)}, loss={"DiceCELoss": {"softmax": False}})
    done = cli("fit", "--debug", "-c", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "data.limit_cases: the first 5 of 7 cases of train.csv are used." in done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("1 problem and no warnings found.")
    assert lines[-1].endswith(str(tmp_path / "runs" / "tiny_debug" / "debug"))
    refused = cli("fit", "--debug", "-c", path, "--ckpt_path", "last")
    assert refused.returncode == 2
    assert refused.stderr == "--debug looks at the beginning of a training. Leave --ckpt_path out.\n"
