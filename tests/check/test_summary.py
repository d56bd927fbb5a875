"""What is learned, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.check.helpers import label_map, make_dataset, save, surveyed, volume
from trainlib.check.summary import learned


def test_the_numbers_are_those_of_the_files(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)
    for name, array in (("i", volume(2, (14, 10, 5))), ("l", label_map(2, (14, 10, 5)))):
        save(root / f"{name}2.nii.gz", array, np.diag([1.0, 1.0, 2.0, 1.0]))
    known = learned(surveyed(root)[0])
    assert known["cases"] == {"train": 6, "valid": 2}
    assert known["shape"] == {"smallest": [12, 10, 5], "median": [12, 10, 9], "largest": [14, 10, 9]}
    assert known["spacing"]["largest"] == [1, 1, 2]
    assert known["orientations"] == {"RAS": 8}
    assert known["types"] == {"float32": 8}
    assert known["formats"] == {".nii.gz": 8}
    assert known["channels"] == {1: 8}
    arrays = [volume(i, (14, 10, 5) if i == 2 else (12, 10, 9)) for i in range(8)]
    [row] = known["intensities"]
    assert row["lowest"] == pytest.approx(min(array.min() for array in arrays))
    assert row["median_of"]["percentile_99"] == pytest.approx(np.median([np.percentile(a, 99) for a in arrays]))
    labels = np.concatenate([label_map(i).ravel() for i in (6, 7)])
    assert known["classes"]["valid"]["lesion"]["share"] == pytest.approx((labels == 2).mean())
    assert known["classes"]["train"]["organ"]["cases"] == 6


def test_patients_are_counted_where_a_column_names_them(tmp_path: Path) -> None:
    root = make_dataset(tmp_path)
    for split in ("train", "valid"):
        header, *rows = (root / f"{split}.csv").read_text().splitlines()
        (root / f"{split}.csv").write_text(
            "\n".join([f"{header},who", *(f"{r},{split}{i // 2}" for i, r in enumerate(rows))])
        )
    assert learned(surveyed(root, group_col="who")[0])["patients"] == {"train": 3, "valid": 1}
