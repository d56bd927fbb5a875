"""A small data set of two splits, and what the checks say of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from tests.data.helpers import label_map, make_cases, make_config, save, volume
from trainlib.check.base import Base
from trainlib.check.finding import Finding
from trainlib.check.rows import read_rows
from trainlib.check.survey import Survey, take_survey
from trainlib.config.schema import Config

ORIENTED: list[Any] = ["LoadImaged", "EnsureChannelFirstd", {"Orientationd": {"axcodes": "RAS"}}]
SPACED: list[Any] = [*ORIENTED, {"Spacingd": {"pixdim": [1.0, 1.0, 1.0]}}]


def make_dataset(root: Path) -> Path:
    """Write six training and two validation cases."""
    make_cases(root, 6, "train.csv")
    return make_cases(root, 2, "valid.csv", first=6)


def survey_of(config: Config, *, voxels: bool = True) -> Survey:
    """Read the files of a config."""
    return take_survey(config, read_rows(config)[0], voxels=voxels)


def surveyed(root: Path, base: list[Any] | None = None, **data: Any) -> tuple[Survey, Base]:
    """Read the files of a data set, and look at its base transforms."""
    config = make_config(root, data, transforms={"base": base} if base else {})
    return survey_of(config), Base(config)


def told(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """List severity, row and file of findings."""
    return [(finding.severity, finding.where, finding.file) for finding in findings]


def change_header(path: Path, affine: np.ndarray) -> None:
    """Give a file another affine, and leave its voxels."""
    save(path, np.asanyarray(nib.load(path).dataobj), affine)


__all__ = [
    "ORIENTED",
    "SPACED",
    "change_header",
    "label_map",
    "make_cases",
    "make_config",
    "make_dataset",
    "save",
    "survey_of",
    "surveyed",
    "told",
    "volume",
]
