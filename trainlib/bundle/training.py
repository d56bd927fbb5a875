"""The config with which MONAI alone trains the network on, where its building blocks can tell the training."""

from __future__ import annotations

from typing import Any

from trainlib.build.roles import IMAGE, LABEL
from trainlib.bundle.inference import cases_of, compose, header, mixed_precision, preprocessing_of
from trainlib.bundle.references import Reference, loss_of, network_of, optimizer_of, pipeline_of
from trainlib.bundle.scripts import has_patch
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config


def untold(config: Config) -> str:
    """Say why the training of a config cannot be told by MONAI's building blocks; nothing where it can."""
    if config.task != SEGMENTATION:
        return "only that of a segmentation is written"
    if has_patch(config, "loss", "get_loss"):
        return "the loss is built by a patch script"
    if has_patch(config, "optimizer", "get_optimizer"):
        return "the optimizer is built by a patch script"
    if config.loss.name.rpartition(".")[2] in ("CrossEntropyLoss", "NLLLoss"):
        return f"{config.loss.name} takes labels without an axis of channels, which MONAI's trainer gives them"
    return ""


def training_config(config: Config) -> dict[str, Any]:
    """Write the workflow of a training that goes on from the bundle's weights.

    The learning rate is constant: schedules, early stopping and the rest of what trainlib does around a training
    are not part of it.

    Args:
        config: The config of the run.

    Returns:
        The content of ``configs/train.yaml``.
    """
    return {
        **header(),
        "train_csv": "$os.path.join(@dataset_dir, 'train.csv')",
        "output_dir": "$os.path.join(@bundle_root, 'train')",
        "checkpoint": "$os.path.join(@bundle_root, 'models', 'model.pt')",
        "max_epochs": config.trainer.get("max_epochs", 1),
        "network_def": network_of(config),
        "network": "$@network_def.to(@device)",
        "loss": loss_of(config),
        "optimizer": optimizer_of(config),
        "train": {
            "preprocessing": compose([*_loaded(config), *pipeline_of(config, "train", with_label=True)]),
            **_data("train", config, batch_size=config.data.batch_size, shuffle=True),
            "inferer": {"_target_": "monai.inferers.SimpleInferer"},
            "handlers": [
                {"_target_": "monai.handlers.CheckpointLoader", "load_path": "@checkpoint",
                 "load_dict": {"model": "@network"}, "map_location": "@device"},
                {"_target_": "monai.handlers.StatsHandler", "tag_name": "train_loss",
                 "output_transform": "$monai.handlers.from_engine(['loss'], first=True)"},
                {"_target_": "monai.handlers.CheckpointSaver", "save_dir": "@output_dir",
                 "save_dict": {"model": "@network"}, "save_final": True, "final_filename": "model.pt"},
            ],
            "trainer": {
                "_target_": "monai.engines.SupervisedTrainer",
                "max_epochs": "@max_epochs",
                "device": "@device",
                "train_data_loader": "@train#dataloader",
                "network": "@network",
                "loss_function": "@loss",
                "optimizer": "@optimizer",
                "inferer": "@train#inferer",
                "train_handlers": "@train#handlers",
                **mixed_precision(config),
            },
        },
        "initialize": [f"$monai.utils.set_determinism(seed={config.seed})"],
        "run": ["$@train#trainer.run()"],
    }  # fmt: skip


def _loaded(config: Config) -> list[Reference]:
    """Write the base transforms with those of the label, whose values become those of the classes."""
    steps = preprocessing_of(config, with_label=True)
    values = {value: target for value, target in config.label_values.items() if value != target}
    if values:
        at = next((i + 1 for i, step in enumerate(steps) if LABEL in step.get("keys", ())), 0)
        mapped = {"_target_": "monai.transforms.MapLabelValued", "keys": [LABEL],
                  "orig_labels": list(values), "target_labels": list(values.values())}  # fmt: skip
        steps.insert(at, mapped)
    return steps


def _data(split: str, config: Config, *, batch_size: int, shuffle: bool) -> dict[str, Any]:
    return {
        "cases": cases_of(f"@{split}_csv", {IMAGE: config.data.image_cols, LABEL: config.data.label_cols}),
        "dataset": {
            "_target_": "monai.data.CacheDataset",
            "data": f"@{split}#cases",
            "transform": f"@{split}#preprocessing",
        },
        "dataloader": {
            "_target_": "monai.data.DataLoader",
            "dataset": f"@{split}#dataset",
            "batch_size": batch_size,
            "shuffle": shuffle,
            "num_workers": 0,
        },
    }
