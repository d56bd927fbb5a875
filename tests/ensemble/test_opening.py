"""Which folder an ensemble gets, and what is refused when it is begun again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from tests.ensemble.conftest import make_config
from trainlib.ensemble.opening import latest_ensemble, open_ensemble
from trainlib.errors import ConfigError, DataError
from trainlib.folders.ensemble import full_name, is_ensemble, read_ensemble
from trainlib.processes import Place


@pytest.fixture
def data(tmp_path: Path, phantom: Path) -> Path:
    """Copies of the CSVs that may be changed."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        table = pd.read_csv(phantom / f"{split}.csv")
        table.map(lambda cell: str(phantom / cell)).to_csv(folder / f"{split}.csv", index=False)
    return folder


def test_the_settings_are_read_back_as_they_were_written(tmp_path: Path, data: Path) -> None:
    config = make_config(tmp_path, data, loss={"DiceCELoss": {"to_onehot_y": True, "softmax": True}})
    begun = open_ensemble(config, "folds", 3)
    assert read_ensemble(begun.folder.path) == begun
    content = yaml.safe_load(begun.folder.settings.read_text())
    assert (content["kind"], content["members"]) == ("folds", ["fold_1", "fold_2", "fold_3"])
    assert content["config"]["optimizer"] == {"AdamW": {"lr": 0.01}}


def test_the_same_config_finds_its_ensemble_and_another_name_does_not(tmp_path: Path, data: Path) -> None:
    begun = open_ensemble(make_config(tmp_path, data), "folds", 3)
    assert begun.folder.path == tmp_path / "runs" / "tiny"
    again = open_ensemble(make_config(tmp_path, data, progress={"cases": 1}, report={"resamples": 500}), "folds", 3)
    assert again.folder == begun.folder
    assert again.config.report is not None
    assert latest_ensemble(make_config(tmp_path, data, run={"name": "tin"})) is None
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tiny"]


def test_a_name_that_a_run_has_gets_a_number_and_is_found_again(tmp_path: Path, data: Path) -> None:
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    config = make_config(tmp_path, data)
    assert open_ensemble(config, "folds", 2).folder.path.name == "tiny_2"
    assert open_ensemble(config, "folds", 2).folder.path.name == "tiny_2"


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"optimizer": {"AdamW": {"lr": 0.5}}},
            r"optimizer\.AdamW\.lr is 0\.5, but the ensemble .* begun with 0\.01\.",
        ),
        ({"seed": 3}, r"seed is 3, but .* begun with 42"),
        ({"trainer": {"max_epochs": 9}}, r"trainer\.max_epochs is 9, but"),
        ({"data": {"limit_cases": 2}}, r"data\.limit_cases is 2, but .* begun with not set"),
        ({"data": {"test_csv": None}}, r"data\.test_csv is not set, but .* begun with the opposite"),
    ],
)
def test_another_config_under_the_same_name_is_refused_with_the_key(
    tmp_path: Path, data: Path, sections: dict[str, Any], sentence: str
) -> None:
    open_ensemble(make_config(tmp_path, data), "folds", 3)
    with pytest.raises(ConfigError, match=sentence):
        open_ensemble(make_config(tmp_path, data, **sections), "folds", 3)


@pytest.mark.parametrize(("kind", "count"), [("folds", 4), ("seeds", 3)])
def test_other_members_under_the_same_name_are_refused(tmp_path: Path, data: Path, kind: Any, count: int) -> None:
    open_ensemble(make_config(tmp_path, data), "folds", 3)
    with pytest.raises(ConfigError, match=rf"--{kind} is {count}, but the ensemble .* begun with --folds 3\. Give"):
        open_ensemble(make_config(tmp_path, data), kind, count)


def test_all_that_differs_is_told_at_once(tmp_path: Path, data: Path) -> None:
    open_ensemble(make_config(tmp_path, data), "folds", 3)
    with pytest.raises(ConfigError) as error:
        open_ensemble(make_config(tmp_path, data, seed=1, trainer={"max_epochs": 9}), "folds", 2)
    assert len(str(error.value).splitlines()) == 3


def test_a_csv_that_has_changed_is_refused(tmp_path: Path, data: Path) -> None:
    config = make_config(tmp_path, data)
    open_ensemble(config, "folds", 3)
    table = pd.read_csv(data / "valid.csv")
    table.iloc[:2].to_csv(data / "valid.csv", index=False)
    with pytest.raises(ConfigError, match=r"^data\.valid_csv: the file has changed since the ensemble .* was begun"):
        open_ensemble(config, "folds", 3)


def test_overwrite_begins_anew_where_the_config_differs_and_goes_on_where_it_does_not(
    tmp_path: Path, data: Path
) -> None:
    begun = open_ensemble(make_config(tmp_path, data), "folds", 3)
    (begun.folder.path / "kept").touch()
    open_ensemble(make_config(tmp_path, data, run={"overwrite": True}), "folds", 3)
    assert (begun.folder.path / "kept").exists()
    again = open_ensemble(make_config(tmp_path, data, run={"overwrite": True}, seed=1), "folds", 2)
    assert again.folder == begun.folder
    assert not (begun.folder.path / "kept").exists()


def test_nothing_is_left_where_the_folds_cannot_be_made(tmp_path: Path, data: Path) -> None:
    with pytest.raises(DataError, match="--folds 10: there are only 9 cases in training and validation together"):
        open_ensemble(make_config(tmp_path, data), "folds", 10)
    assert list((tmp_path / "runs").iterdir()) == []


def test_one_patient_in_two_splits_is_refused_as_by_fit(tmp_path: Path, data: Path) -> None:
    for split in ("train", "valid", "test"):
        pd.read_csv(data / f"{split}.csv").assign(patient="p").to_csv(data / f"{split}.csv", index=False)
    with pytest.raises(DataError, match="patient p is in"):
        open_ensemble(make_config(tmp_path, data, data={"group_col": "patient"}), "folds", 3)


def test_several_devices_for_a_member_are_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.devices: found 2, but `trainlib ensemble` gives each model one"):
        open_ensemble(make_config(tmp_path, data, trainer={"accelerator": "cpu", "devices": 2}), "folds", 3)


def test_several_processes_are_refused_before_anything_is_made(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainlib.start.place", lambda: Place(0, 2, 0, 2, 0, "127.0.0.1", 1))
    with pytest.raises(ConfigError, match=r"`trainlib ensemble` takes one process\. Start it without torchrun or srun"):
        open_ensemble(make_config(tmp_path, data), "folds", 3)
    assert not (tmp_path / "runs").exists()


def test_headers_that_break_a_training_are_told_before_anything_is_made(tmp_path: Path, data: Path) -> None:
    table = pd.read_csv(data / "valid.csv")
    image = nib.load(table["label"][0])
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[:-2], image.affine), tmp_path / "cut.nii.gz")
    table.assign(label=[str(tmp_path / "cut.nii.gz"), *table["label"][1:]]).to_csv(data / "valid.csv", index=False)
    with pytest.raises(DataError, match=r"^valid\.csv:2 \(.*cut\.nii\.gz\): Label and image differ in shape"):
        open_ensemble(make_config(tmp_path, data), "folds", 3)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_was_moved_is_still_its_own(tmp_path: Path, data: Path) -> None:
    begun = open_ensemble(make_config(tmp_path, data), "folds", 3)
    shutil.move(begun.folder.path, tmp_path / "elsewhere")
    moved = read_ensemble(tmp_path / "elsewhere")
    assert moved.folder.pooled.is_file()
    assert moved.members == begun.members


def test_settings_that_cannot_be_read_are_told_with_their_file(tmp_path: Path, data: Path) -> None:
    begun = open_ensemble(make_config(tmp_path, data), "folds", 3)
    text = begun.folder.settings.read_text()
    begun.folder.settings.write_text(text.replace("batch_size:", "batch_sise:"))
    with pytest.raises(ConfigError, match=r"ensemble\.yaml: this version of trainlib does not read data\.batch_sise"):
        read_ensemble(begun.folder.path)
    begun.folder.settings.write_text("kind: [")
    with pytest.raises(ConfigError, match=r"ensemble\.yaml cannot be read: ParserError"):
        read_ensemble(begun.folder.path)
    with pytest.raises(ConfigError, match=r"is not the folder of an ensemble: it has no ensemble\.yaml"):
        read_ensemble(tmp_path)


def test_a_run_is_named_with_the_ensemble_that_it_belongs_to(tmp_path: Path, data: Path) -> None:
    folder = open_ensemble(make_config(tmp_path, data), "folds", 3).folder
    assert is_ensemble(folder.path)
    assert full_name(folder.held_out("fold_1").path) == "tiny / fold_1 / held_out"
    assert full_name(folder.member("fold_1").path) == "tiny / fold_1"
    assert full_name(tmp_path / "runs" / "other") == "other"
