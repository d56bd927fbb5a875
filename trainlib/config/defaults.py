"""What is used where a config says nothing and the task or the dimensions decide, as it would stand in a file."""

from __future__ import annotations

from typing import Any

SEGMENTATION, CLASSIFICATION, MULTILABEL = "segmentation", "classification", "multi-label classification"
"""Kinds of tasks; the last is a classification with several label columns."""

_INTENSITIES: list[Any] = [
    {"RandScaleIntensityd": {"factors": 0.1}},
    {"RandShiftIntensityd": {"offsets": 0.1}},
    {"RandGaussianNoised": {"std": 0.1}},
]

TASK: dict[str, dict[str, Any]] = {
    SEGMENTATION: {
        "model": {
            "UNet": {"channels": [16, 32, 64, 128], "strides": [2, 2, 2], "num_res_units": 2, "norm": "instance"}
        },
        "loss": {"DiceCELoss": {"to_onehot_y": True, "softmax": True}},
        "inferer": {"SlidingWindowInferer": {"overlap": 0.5, "mode": "gaussian", "sw_batch_size": 4}},
        "checkpoint": {"monitor": "valid/dice"},
    },
    CLASSIFICATION: {
        "model": {"DenseNet": {"init_features": 32, "growth_rate": 16, "block_config": [4, 4, 4]}},
        "loss": {"CrossEntropyLoss": {}},
        "inferer": {"SimpleInferer": {}},
        "checkpoint": {"monitor": "valid/auroc"},
    },
}
TASK[MULTILABEL] = TASK[CLASSIFICATION] | {"loss": {"BCEWithLogitsLoss": {}}}
"""Kind of task -> sections that differ between them."""


def task_of(raw: dict[str, Any]) -> str:
    """Return the kind of task that a config as it was read has; segmentation where it names none that there is."""
    data = raw.get("data")
    columns = data.get("label_cols") if isinstance(data, dict) else None
    if raw.get("task") != CLASSIFICATION:
        return SEGMENTATION
    return MULTILABEL if isinstance(columns, list) and len(columns) > 1 else CLASSIFICATION


def _dims_of(raw: dict[str, Any]) -> int:
    data = raw.get("data")
    return 2 if isinstance(data, dict) and data.get("spatial_dims") == 2 else 3


def base_pipeline(task: str, dims: int) -> list[Any]:
    """Return the default base transforms: load, turn to RAS in 3-D, normalise; one size for whole-image networks."""
    steps: list[Any] = ["LoadImaged", "EnsureChannelFirstd"]
    steps += [{"Orientationd": {"axcodes": "RAS"}}] if dims == 3 else []
    steps += [{"Resized": {"spatial_size": [128, 128] if dims == 2 else [64] * 3}}] if task != SEGMENTATION else []
    return [*steps, {"NormalizeIntensityd": {"channel_wise": True}}]


def train_pipeline(task: str, dims: int) -> list[Any]:
    """Return the default augmentation: random crops in segmentation, flips, small rotations, intensities."""
    crops = [
        {"SpatialPadd": {"spatial_size": [64] * dims}},
        {"RandCropByPosNegLabeld": {"spatial_size": [64] * dims, "pos": 2, "neg": 1, "num_samples": 1}},
    ]
    return [
        *(crops if task == SEGMENTATION else []),
        {"RandFlipd": {"spatial_axis": 0, "prob": 0.5}},
        {"RandAffined": {"rotate_range": [0.26] * dims if dims == 3 else 0.26, "scale_range": [0.1] * dims}},
        *_INTENSITIES,
    ]


def with_pipelines(raw: dict[str, Any]) -> dict[str, Any]:
    """Add the default pipelines where `raw`, a config as it was read, has none."""
    task, dims, given = task_of(raw), _dims_of(raw), raw.get("transforms", {})
    if not isinstance(given, dict):
        return raw
    return raw | {"transforms": {"base": base_pipeline(task, dims), "train": train_pipeline(task, dims)} | given}


def with_defaults(raw: dict[str, Any]) -> dict[str, Any]:
    """Add everything that the task or the dimensions decide where `raw`, a config as it was read, has none."""
    task, data, checkpoint = task_of(raw), raw.get("data"), raw.get("checkpoint", {})
    filled = TASK[task] | raw
    if isinstance(checkpoint, dict):
        filled["checkpoint"] = TASK[task]["checkpoint"] | checkpoint
    if task != SEGMENTATION and isinstance(data, dict):
        filled["data"] = {"classes": []} | data
    elif isinstance(data, dict) and data.get("classes") == []:
        filled["data"] = {name: value for name, value in data.items() if name != "classes"}
    return with_pipelines(filled)
