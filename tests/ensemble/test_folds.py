"""The folds: every case held out once, patients whole, classes in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.ensemble.conftest import make_config
from trainlib import load_config
from trainlib.config.schema import Config
from trainlib.data.phantom import make_classification_dataset
from trainlib.ensemble.folds import write_folds
from trainlib.errors import DataError
from trainlib.folders.ensemble import EnsembleFolder

FOLDS = ["fold_1", "fold_2", "fold_3"]


def divide(config: Config, path: Path, members: list[str] = FOLDS) -> list[pd.DataFrame]:
    """Write folds, and return the rows that each holds out."""
    folder = EnsembleFolder(path)
    write_folds(config, folder, members)
    return [pd.read_csv(folder.fold_csv(member, "valid"), dtype=str) for member in members]


def write_csvs(folder: Path, phantom: Path, **columns: list[str]) -> None:
    """Write the CSVs of the phantom with absolute paths and more columns, given for training and validation."""
    first = 0
    for split in ("train", "valid", "test"):
        table = pd.read_csv(phantom / f"{split}.csv", dtype=str)
        for name in ("image", "label"):
            table[name] = [str(phantom / cell) for cell in table[name]]
        for name, cells in columns.items():
            table[name] = [*cells, "t1", "t2", "t3"][first : first + len(table)]
        first += len(table)
        table.to_csv(folder / f"{split}.csv", index=False)


def test_every_case_is_held_out_once_and_trained_on_in_all_other_folds(tmp_path: Path, phantom: Path) -> None:
    config = make_config(tmp_path, phantom)
    held = divide(config, tmp_path / "e")
    rows = pd.concat([pd.read_csv(phantom / f"{split}.csv", dtype=str) for split in ("train", "valid")])
    assert sorted(pd.concat(held)["image"]) == sorted(rows["image"])
    assert [len(fold) for fold in held] == [3, 3, 3]
    for member, fold in zip(FOLDS, held, strict=True):
        train = pd.read_csv(tmp_path / "e" / "folds" / f"{member}_train.csv", dtype=str)
        assert sorted([*train["image"], *fold["image"]]) == sorted(rows["image"])
    pooled = pd.read_csv(tmp_path / "e" / "folds" / "pooled.csv", dtype=str)
    assert pooled.equals(pd.concat(held, ignore_index=True))


def test_all_columns_and_the_paths_stay_as_they_are(tmp_path: Path, phantom: Path) -> None:
    for split in ("train", "valid", "test"):
        table = pd.read_csv(phantom / f"{split}.csv", dtype=str)
        table.assign(age=[f"0{i}" for i in range(len(table))], note='a, "b"').to_csv(tmp_path / f"{split}.csv")
    config = make_config(tmp_path, phantom, data={f"{s}_csv": str(tmp_path / f"{s}.csv") for s in ("train", "valid")})
    [fold, *_] = divide(config, tmp_path / "e")
    assert fold.columns.tolist()[-4:] == ["image", "label", "age", "note"]
    assert set(fold["note"]) == {'a, "b"'}
    assert fold["age"].str.startswith("0").all()
    assert fold["image"].str.startswith("images/").all()


def test_a_patient_is_in_one_fold_alone(tmp_path: Path, phantom: Path) -> None:
    patients = ["a", "a", "b", "c", "c", "c", "d", "e", "b"]
    write_csvs(tmp_path, phantom, patient=patients)
    config = make_config(tmp_path, tmp_path, data={"group_col": "patient"})
    held = divide(config, tmp_path / "e")
    parts = [set(fold["patient"]) for fold in held]
    assert sorted(name for part in parts for name in part) == ["a", "b", "c", "d", "e"]
    assert sorted(map(len, held)) == [3, 3, 3]


def test_an_image_that_is_listed_twice_is_in_one_fold_alone(tmp_path: Path, phantom: Path) -> None:
    write_csvs(tmp_path, phantom)
    table = pd.read_csv(tmp_path / "train.csv")
    pd.concat([table, table]).to_csv(tmp_path / "train.csv", index=False)
    held = divide(make_config(tmp_path, tmp_path), tmp_path / "e")
    parts = [set(fold["image"]) for fold in held]
    assert sum(map(len, parts)) == 9
    assert sum(map(len, held)) == 15


def test_fewer_patients_than_folds_are_refused(tmp_path: Path, phantom: Path) -> None:
    write_csvs(tmp_path, phantom, patient=["a"] * 6 + ["b"] * 3)
    config = make_config(tmp_path, tmp_path, data={"group_col": "patient"})
    with pytest.raises(DataError, match="--folds 3: there are only 2 patients in training and validation together"):
        divide(config, tmp_path / "e")


def without_lesion(folder: Path, phantom: Path, cases: list[int]) -> None:
    """Write CSVs in which some label maps have no lesion."""
    write_csvs(folder, phantom)
    for split, first in (("train", 0), ("valid", 6)):
        table = pd.read_csv(folder / f"{split}.csv")
        for row, name in enumerate(table["label"]):
            if first + row in cases:
                label = nib.load(name)
                values = np.asarray(label.dataobj)
                table.loc[row, "label"] = str(folder / Path(name).name)
                nib.save(nib.Nifti1Image(np.where(values == 2, 1, values), label.affine, label.header),
                         table.loc[row, "label"])  # fmt: skip
        table.to_csv(folder / f"{split}.csv", index=False)


def has_lesion(fold: pd.DataFrame) -> int:
    return sum(bool((np.asarray(nib.load(name).dataobj) == 2).any()) for name in fold["label"])


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_class_that_few_cases_have_is_in_every_fold(tmp_path: Path, phantom: Path, seed: int) -> None:
    without_lesion(tmp_path, phantom, [0, 1, 2, 3, 4, 5])
    held = divide(make_config(tmp_path, tmp_path, seed=seed), tmp_path / "e")
    assert [has_lesion(fold) for fold in held] == [1, 1, 1]


def test_the_seed_decides_on_the_folds(tmp_path: Path, phantom: Path) -> None:
    def images(name: str, seed: int) -> list[list[str]]:
        folds = divide(make_config(tmp_path / name, phantom, seed=seed), tmp_path / name / "e")
        return [fold["image"].tolist() for fold in folds]

    assert images("a", 1) == images("b", 1)
    assert images("c", 2) != images("a", 1)


def test_label_maps_that_cannot_be_read_are_all_named(tmp_path: Path, phantom: Path) -> None:
    write_csvs(tmp_path, phantom)
    for split, row in (("train", 1), ("valid", 0)):
        table = pd.read_csv(tmp_path / f"{split}.csv")
        table.loc[row, "label"] = str(tmp_path / f"broken_{split}.nii.gz")
        (tmp_path / f"broken_{split}.nii.gz").write_bytes(b"not gzip")
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    with pytest.raises(DataError) as error:
        divide(make_config(tmp_path, tmp_path), tmp_path / "e")
    assert "train.csv:3 (case_001.nii.gz): the label broken_train.nii.gz cannot be read" in str(error.value)
    assert "valid.csv:2" in str(error.value)
    assert not (tmp_path / "e").exists()


def test_limit_cases_leaves_the_first_cases_to_the_folds_and_to_the_test(tmp_path: Path, phantom: Path) -> None:
    config = make_config(tmp_path, phantom, data={"limit_cases": 2})
    held = divide(config, tmp_path / "e", FOLDS[:2])
    first = [pd.read_csv(phantom / f"{split}.csv")["image"].head(2).tolist() for split in ("train", "valid", "test")]
    assert sorted(pd.concat(held)["image"]) == sorted(first[0] + first[1])
    assert pd.read_csv(tmp_path / "e" / "folds" / "test.csv")["image"].tolist() == first[2]


@pytest.mark.parametrize("multilabel", [False, True])
def test_classes_of_images_are_in_every_fold(tmp_path: Path, multilabel: bool) -> None:
    data = make_classification_dataset(
        tmp_path / "data", spatial_dims=2, cases=(12, 6, 3), file_format="png", multilabel=multilabel
    )
    tables = [pd.read_csv(data / f"{split}.csv", dtype=str) for split in ("train", "valid")]
    labels = [name for name in tables[0].columns if name != "image"]
    settings: dict[str, Any] = {"root": str(data), "spatial_dims": 2, "label_cols": labels}
    settings |= {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")}
    names = labels if multilabel else sorted(set(pd.concat(tables)[labels[0]]))
    (tmp_path / "c.yaml").write_text(
        f"task: classification\ndata: {settings | {'classes': names}}\nrun: {{root: {tmp_path}}}"
    )
    held = divide(load_config(tmp_path / "c.yaml"), tmp_path / "e")
    for name in names:
        cells = [(fold[name] == "1") if multilabel else (fold[labels[0]] == name) for fold in held]
        counts = [int(found.sum()) for found in cells]
        assert max(counts) - min(counts) <= 1
