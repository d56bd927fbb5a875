"""The config with which MONAI alone predicts as `trainlib predict` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainlib.build.roles import IMAGE, PREDICTION
from trainlib.bundle.references import CASES, SAVING, TABLE, Reference, inferer_of, network_of, pipeline_of, plain
from trainlib.config.defaults import CLASSIFICATION
from trainlib.config.schema import Config
from trainlib.data.splits import csv_of, read_split
from trainlib.errors import DataError
from trainlib.system.convolutions import FAST_CUDNN

LOAD = "monai.transforms.LoadImaged"
_TIFF = (".tif", ".tiff")
_SLOW = f"torch.__version__.startswith('2.9.') and (torch.backends.cudnn.version() or 0) < {FAST_CUDNN}"
_WITH_BFLOAT16 = "$torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)"


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
        "cases": cases_of("@csv", {IMAGE: config.data.image_cols}),
        "dataset": {
            "_target_": "monai.data.Dataset",
            "data": "@cases",
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
        "imports": ["$import os"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "dataset_dir": "$os.path.join(@bundle_root, 'data')",
    }


def compose(steps: list[Reference]) -> Reference:
    """Put transforms one after the other."""
    return {"_target_": "monai.transforms.Compose", "transforms": steps}


def cases_of(csv: str, columns: dict[str, list[str]]) -> Reference:
    """Write what reads a CSV into the items of a data set.

    Args:
        csv: Reference to the file.
        columns: Key of the item -> columns of its files.
    """
    names = plain(columns, "data.image_cols, data.label_cols")
    return {"_target_": CASES, "csv_file": csv, "folder": "@dataset_dir", "columns": names}


def preprocessing_of(config: Config, *, with_label: bool = False) -> list[Reference]:
    """Write the base transforms; TIFF is read with Pillow, as trainlib does, and values are single precision."""
    steps = pipeline_of(config, "base", with_label=with_label)
    for step in steps:
        if step["_target_"] == LOAD and "reader" not in step and first_suffix(config) in _TIFF:
            step["reader"] = "PILReader"
    return [*steps, {"_target_": "monai.transforms.EnsureTyped", "keys": [IMAGE], "dtype": "$torch.float32"}]


def mixed_precision(config: Config) -> dict[str, Any]:
    """Write the settings of an engine for the precision of the training, which MONAI has on GPUs alone.

    Where the config says none, the GPU that the bundle runs on decides, by the rule that trainlib follows.
    """
    given = config.trainer.get("precision")
    if given is None:
        if config.trainer.get("accelerator") == "cpu" or config.spreads_network:
            return {}
        slow = f" and not ({_SLOW})" if config.data.spatial_dims == 3 else ""
        return {"amp": f"{_WITH_BFLOAT16}{slow}", "amp_kwargs": {"dtype": "$torch.bfloat16"}}
    if not str(given).endswith("-mixed"):
        return {}
    return {
        "amp": True,
        "amp_kwargs": {"dtype": "$torch.bfloat16" if str(given).startswith("bf16") else "$torch.float16"},
    }


def _postprocessing(config: Config) -> list[Reference]:
    if config.task == CLASSIFICATION:
        return [
            {"_target_": TABLE, "keys": PREDICTION, "output_dir": "@output_dir",
             "columns": plain(config.data.image_cols, "data.image_cols"),
             "classes": plain(config.data.classes, "data.classes"), "multilabel": config.multilabel},
        ]  # fmt: skip
    return [
        {"_target_": "monai.transforms.Activationsd", "keys": PREDICTION, "softmax": True},
        # Probabilities go the way back, and the class is chosen on the grid of the file.
        {"_target_": "monai.transforms.Invertd", "keys": PREDICTION, "transform": "@preprocessing", "orig_keys": IMAGE,
         "nearest_interp": False, "to_tensor": True, "device": "cpu"},
        {"_target_": "monai.transforms.AsDiscreted", "keys": PREDICTION, "argmax": True, "dtype": "$torch.int64"},
        *pipeline_of(config, "post"),
        {"_target_": SAVING, "keys": PREDICTION, "output_dir": "@output_dir"},
    ]  # fmt: skip


def first_suffix(config: Config) -> str:
    """Return the suffix of the first image that can be found, and that of NIfTI where all are gone."""
    for split in ("test", "train", "valid"):
        try:
            cases = read_split(config, split) if csv_of(config, split) else []
        except DataError:
            continue
        if cases:
            return Path(cases[0].images[0]).suffix.lower()
    return ".nii"
