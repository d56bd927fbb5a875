"""cv.csv names every case of the pool, whatever its file is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.ensemble.conftest import make_config
from trainlib.ensemble.members import members_of
from trainlib.ensemble.opening import open_ensemble
from trainlib.ensemble.tables import write_cv
from trainlib.errors import TrainlibError
from trainlib.folders.ensemble import Ensemble


def begun_with_scores(tmp_path: Path, phantom: Path) -> Ensemble:
    """An ensemble on images that are all called scan.nii.gz, and tables as its members would write them."""
    rows: dict[str, list[dict[str, str]]] = {"train": [], "valid": [], "test": []}
    for split, listed in rows.items():
        for row in pd.read_csv(phantom / f"{split}.csv").itertuples():
            place = tmp_path / Path(row.image).name.split(".")[0]
            place.mkdir()
            shutil.copy(phantom / row.image, place / "scan.nii.gz")
            listed.append({"image": f"{place.name}/scan.nii.gz", "label": str(phantom / row.label)})
        pd.DataFrame(listed).to_csv(tmp_path / f"{split}.csv", index=False)
    ensemble = open_ensemble(make_config(tmp_path, tmp_path), "folds", 9)
    for number, member in enumerate(members_of(ensemble)):
        assert member.held_out is not None
        member.held_out.path.mkdir(parents=True)
        member.held_out.cases.write_text(f"split,case,class,dice\ntest,scan,organ,0.{number}\ntest,scan,lesion,\n")
    return ensemble


def test_cases_whose_names_are_the_same_in_each_fold_are_told_apart(tmp_path: Path, phantom: Path) -> None:
    ensemble = begun_with_scores(tmp_path, phantom)
    write_cv(ensemble, members_of(ensemble))
    cv = pd.read_csv(ensemble.folder.cv)
    assert sorted(cv["case"].unique()) == [f"case_00{number}_scan" for number in range(9)]
    assert cv.columns.tolist() == ["fold", "case", "class", "dice"]
    held = pd.read_csv(ensemble.folder.fold_csv("fold_4", "valid"))["image"].item()
    row = cv.query("fold == 'fold_4' and `class` == 'organ'").iloc[0]
    assert (row["case"], row["dice"]) == (held.replace("/", "_").removesuffix(".nii.gz"), 0.3)


def test_a_table_of_other_cases_is_refused(tmp_path: Path, phantom: Path) -> None:
    ensemble = begun_with_scores(tmp_path, phantom)
    held_out = members_of(ensemble)[2].held_out
    assert held_out is not None
    held_out.cases.write_text("split,case,class,dice\ntest,other,organ,0.5\n")
    with pytest.raises(TrainlibError, match="does not hold the cases of fold_3"):
        write_cv(ensemble, members_of(ensemble))
