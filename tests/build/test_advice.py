"""What is allowed but seldom meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from trainlib import load_config
from trainlib.build.advice import advice
from trainlib.data.prepare import Preparation
from trainlib.data.splits import Case

WriteConfig = Callable[..., Path]
LOAD: list[Any] = ["LoadImaged", "EnsureChannelFirstd"]
ORIENTATION: dict[str, Any] = {"Orientationd": {"axcodes": "RAS"}}
SPACING: dict[str, Any] = {"Spacingd": {"pixdim": [1.0, 2.0, 4.0]}}


@pytest.mark.parametrize(
    ("base", "count"),
    [
        ([*LOAD, ORIENTATION, SPACING], 0),
        ([*LOAD, SPACING, ORIENTATION], 1),
        ([*LOAD, SPACING], 0),
        ([*LOAD, ORIENTATION], 0),
    ],
)
def test_orientation_is_advised_before_spacing(write_config: WriteConfig, base: list[Any], count: int) -> None:
    found = advice(load_config(write_config(transforms={"base": base})))
    assert len(found) == count
    assert all("Put Orientationd first" in sentence for sentence in found)


def test_files_of_mixed_orientation_and_spacing_come_out_alike_in_the_advised_order(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    blob = np.zeros((16, 16, 16), dtype=np.float32)
    blob[4:12, 4:12, 4:12] = 1
    image = nib.Nifti1Image(blob, np.diag([1.0, 2.0, 4.0, 1.0]))
    turned = image.as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
    config = load_config(write_config(transforms={"base": [*LOAD, ORIENTATION, SPACING]}))
    prepare = Preparation(config, with_label=False)
    shapes = []
    for name, stored in (("plain", image), ("turned", turned)):
        path = tmp_path / f"{name}.nii.gz"
        nib.save(stored, path)
        prepared = prepare(Case(name=name, row=2, images=(path,), label=None, group=None, csv="test.csv"))
        shapes.append((tuple(prepared["image"].shape), prepared["spacing"].tolist()))
    assert shapes[0] == shapes[1] == ((1, 16, 16, 16), [1.0, 2.0, 4.0])
