"""The config with which MONAI alone predicts as `trainlib predict` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainlib.build.roles import IMAGE, PREDICTION
from trainlib.bundle.references import SAVING, TABLE, Reference, inferer_of, network_of, pipeline_of
from trainlib.config.schema import Config
from trainlib.data.splits import csv_of, read_split
from trainlib.data.writing import suffix_of
from trainlib.errors import DataError

LOAD = "monai.transforms.LoadImaged"
_TIFF = (".tif", ".tiff")


def inference_config(config: Config) -> dict[str, Any]:
    """Write the workflow: read the CSV of the cases, predict, restore the geometry of the files, write.

    Args:
        config: The config of the run.

    Returns:
        The content of ``configs/inference.yaml``.
    """
    return {
        **header(),
        "csv": "$os.path.join(@dataset_dir, 'cases.csv')",
        "output_dir": "$os.path.join(@bundle_root, 'eval')",
        "checkpoint": "$os.path.join(@bundle_root, 'models', 'model.pt')",
        "network_def": network_of(config),
        "network": "$@network_def.to(@device)",
        "preprocessing": compose(preprocessing_of(config)),
        "dataset": {
            "_target_": "monai.data.Dataset",
            "data": rows_of("@csv", {IMAGE: files_of(config.data.image_cols)}),
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "monai.data.DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": False,
            "num_workers": 0,
        },
        "inferer": inferer_of(config),
        "postprocessing": compose(_postprocessing(config)),
        "handlers": [
            {
                "_target_": "monai.handlers.CheckpointLoader",
                "load_path": "@checkpoint",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "monai.engines.SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
            **mixed_precision(config),
        },
        "run": ["$@evaluator.run()"],
    }


def header() -> dict[str, Any]:
    """Write what both workflows begin with."""
    return {
        "imports": ["$import csv", "$import os"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "dataset_dir": "$os.path.join(@bundle_root, 'data')",
    }


def compose(steps: list[Reference]) -> Reference:
    """Put transforms one after the other."""
    return {"_target_": "monai.transforms.Compose", "transforms": steps}


def rows_of(csv: str, cells: dict[str, str]) -> str:
    """Write the expression that reads a CSV into the items of a data set.

    Args:
        csv: Reference to the file.
        cells: Key of the item -> expression for its value, of the variable `row`.
    """
    items = ", ".join(f"{key!r}: {value}" for key, value in cells.items())
    return f"$[{{{items}}} for row in csv.DictReader(open({csv}, encoding='utf-8-sig', newline=''))]"


def files_of(columns: list[str]) -> str:
    """Write the expression for the files in some columns; one alone is no list, whose reader would stack channels."""
    paths = [f"os.path.join(@dataset_dir, row[{column!r}])" for column in columns]
    return paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"


def preprocessing_of(config: Config, *, with_label: bool = False) -> list[Reference]:
    """Write the base transforms; TIFF is read with Pillow, as trainlib does, and values are single precision."""
    steps = pipeline_of(config, "base", with_label=with_label)
    for step in steps:
        if step["_target_"] == LOAD and "reader" not in step and _suffix(config) in _TIFF:
            step["reader"] = "PILReader"
    return [*steps, {"_target_": "monai.transforms.EnsureTyped", "keys": [IMAGE], "dtype": "$torch.float32"}]


def mixed_precision(config: Config) -> dict[str, Any]:
    """Write the settings of an engine for the precision of the training, which MONAI has on GPUs alone."""
    precision = str(config.trainer.get("precision", ""))
    if not precision.endswith("-mixed"):
        return {}
    return {
        "amp": True,
        "amp_kwargs": {"dtype": "$torch.bfloat16" if precision.startswith("bf16") else "$torch.float16"},
    }


def _postprocessing(config: Config) -> list[Reference]:
    if config.task == "classification":
        activation = "sigmoid" if config.multilabel else "softmax"
        return [
            {"_target_": "monai.transforms.Activationsd", "keys": PREDICTION, activation: True},
            {"_target_": TABLE, "keys": PREDICTION, "output_dir": "@output_dir", "classes": list(config.data.classes)},
        ]
    return [
        {"_target_": "monai.transforms.Activationsd", "keys": PREDICTION, "softmax": True},
        # Probabilities go the way back, and the class is chosen on the grid of the file.
        {"_target_": "monai.transforms.Invertd", "keys": PREDICTION, "transform": "@preprocessing", "orig_keys": IMAGE,
         "nearest_interp": False, "to_tensor": True, "device": "cpu"},
        {"_target_": "monai.transforms.AsDiscreted", "keys": PREDICTION, "argmax": True, "dtype": "$torch.int64"},
        *pipeline_of(config, "post"),
        {"_target_": SAVING, "keys": PREDICTION, "output_dir": "@output_dir", "suffix": _suffix(config),
         "classes": config.out_channels},
    ]  # fmt: skip


def _suffix(config: Config) -> str:
    """Return the suffix of the predictions, that of the first image that can be found; else that of NIfTI."""
    for split in ("test", "train", "valid"):
        try:
            cases = read_split(config, split) if csv_of(config, split) else []
        except DataError:
            continue
        if cases:
            return suffix_of(Path(cases[0].images[0]), config.data.spatial_dims)
    return ".nii.gz"
