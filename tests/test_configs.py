"""Every config and every patch script of the repository works."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from trainlib import fit, load_config
from trainlib.config.schema import Config
from trainlib.data.phantom import make_classification_dataset, make_dataset

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
# A batch is enough, and where the machine stands must not be looked up on the network.
QUICK = ["trainer.limit_train_batches=1", "emissions=null"]
# What a config is laid over, where it is not complete by itself.
BASES = {"patched.yaml": ["demo.yaml"]}


def needed(config: Path) -> list[Path]:
    """The files to be given with -c."""
    return [config.with_name(name) for name in BASES.get(config.name, [])] + [config]


def generated(config: Config, folder: Path) -> tuple[Path, list[str]]:
    """Generate data for the task of a config, and tell what of them differs from the data that it was written for."""
    dims = config.data.spatial_dims
    if config.task == "classification":
        make_classification_dataset(folder, spatial_dims=dims, cases=(6, 3, 3))
        classes = "[hollow, smooth, spiculated]"
    else:
        make_dataset(folder, spatial_dims=dims, cases=(4, 1, 1))
        classes = "[background, organ, lesion]"
    own = [f"data.label_map.{value}=organ" for value in config.data.label_map]
    csvs = [f"data.{split}_csv={split}.csv" for split in ("train", "valid", "test")]
    own += ["data.label_cols=label", f"data.classes={classes}", *csvs]
    if config.run.name == "breast":  # images of one size
        own.append("transforms.base=[LoadImaged, EnsureChannelFirstd, Resized: {spatial_size: [28, 28]}]")
    return folder, [*own, "trainer.check_val_every_n_epoch=1"]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_a_config_runs_through_one_batch(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    data, own = generated(load_config(needed(config)), tmp_path / "data")
    overrides = [f"data.root={data}", f"run.root={tmp_path}", "trainer.max_epochs=1", *QUICK, *own]
    run = fit(load_config(needed(config), overrides))
    assert run.metrics["train/loss"].notna().all()
    assert len(run.cases["split"].unique()) == 2


def test_every_patch_script_is_used_by_a_config() -> None:
    used = {
        Path(path).name for config in CONFIGS for path in yaml.safe_load(config.read_text()).get("patch", {}).values()
    }
    assert used == {path.name for path in (ROOT / "patches").glob("*.py")}


def test_the_patches_take_the_place_of_the_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainlib.build.check import origins

    monkeypatch.chdir(ROOT)
    found = origins(load_config(needed(ROOT / "configs" / "patched.yaml")))
    assert found["model"] == f"get_model from {ROOT / 'patches/model.py'}"
    assert found["loss"] == f"get_loss from {ROOT / 'patches/loss.py'}"
    assert found["optimizer"] == f"get_optimizer from {ROOT / 'patches/optimizer.py'}"
    assert found["transforms.train"] == "SpatialPadd, RandSpatialCropd, RandFlipd, " + (
        f"RandDropSliced from {ROOT / 'patches/transforms.py'}"
    )


def test_the_readme_shows_a_config_that_runs(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    block = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    assert block.count("[96, 96, 96]") == 2  # too large a window to be quick
    (tmp_path / "config.yaml").write_text(block.replace("[96, 96, 96]", "[32, 32, 32]"))
    data = make_dataset(tmp_path / "data", cases=(4, 1, 1))
    overrides = [f"data.root={data}", f"run.root={tmp_path}", "trainer.max_epochs=1", *QUICK]
    run = fit(load_config(tmp_path / "config.yaml", overrides))
    assert run.metrics["train/loss"].notna().all()
    shutil.rmtree(data)
