"""The default pipelines for 2-D and 3-D images, as they would stand in a config file."""

from __future__ import annotations

from typing import Any

_AUGMENTATION: list[Any] = [
    {"RandScaleIntensityd": {"factors": 0.1}},
    {"RandShiftIntensityd": {"offsets": 0.1}},
    {"RandGaussianNoised": {"std": 0.1}},
]

BASE: dict[int, list[Any]] = {
    2: ["LoadImaged", "EnsureChannelFirstd", {"NormalizeIntensityd": {"channel_wise": True}}],
    3: [
        "LoadImaged",
        "EnsureChannelFirstd",
        {"Orientationd": {"axcodes": "RAS"}},
        {"NormalizeIntensityd": {"channel_wise": True}},
    ],
}

TRAIN: dict[int, list[Any]] = {
    dims: [
        {"SpatialPadd": {"spatial_size": [64] * dims}},
        {"RandCropByPosNegLabeld": {"spatial_size": [64] * dims, "pos": 2, "neg": 1, "num_samples": 1}},
        {"RandFlipd": {"spatial_axis": 0, "prob": 0.5}},
        {"RandAffined": {"rotate_range": [0.26] * dims if dims == 3 else 0.26, "scale_range": [0.1] * dims}},
        *_AUGMENTATION,
    ]
    for dims in (2, 3)
}


def with_pipelines(raw: dict[str, Any]) -> dict[str, Any]:
    """Add the default pipelines for the images' dimensions where `raw`, a config as it was read, has none."""
    data, given = raw.get("data"), raw.get("transforms", {})
    dims = 2 if isinstance(data, dict) and data.get("spatial_dims") == 2 else 3
    return raw | {"transforms": {"base": BASE[dims], "train": TRAIN[dims]} | given} if isinstance(given, dict) else raw
