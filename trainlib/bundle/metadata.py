"""What a bundle says of itself to programs: `metadata.json`."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

from trainlib import __version__
from trainlib.bundle.trained import Trained

INTENDED = (
    "Research on images like those it was trained on. It is no medical device, and nothing was done to show that it "
    "is fit for clinical decisions."
)
"""What a bundle is for, until its owner knows better."""


def metadata_of(trained: Trained, scores: dict[str, float], packages: dict[str, str]) -> dict[str, Any]:
    """Write `metadata.json` by MONAI's bundle specification.

    Args:
        trained: The run.
        scores: Scores of its test, or else of its validation.
        packages: What is needed beside MONAI and torch, with versions.
    """
    config = trained.config
    classes = ", ".join(f"{value}: {name}" for value, name in _class_names(trained).items())
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": "0.1.0",
        "changelog": {"0.1.0": f"made of the run {config.run.name} by trainlib {__version__}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": packages,
        "name": config.run.name,
        "task": f"{config.data.spatial_dims}-D {config.task}",
        "description": f"A network for the {config.task} of {', '.join(_found_classes(trained))}.",
        "authors": "not told",
        "copyright": "not told",
        "data_source": "not told",
        "data_type": "images named in a CSV",
        "image_classes": f"{config.in_channels} channel{'s' if config.in_channels > 1 else ''}: "
        f"{', '.join(config.data.image_cols)}",
        "label_classes": classes,
        "pred_classes": classes,
        "eval_metrics": {name: value for name, value in scores.items() if math.isfinite(value)},
        "intended_use": INTENDED,
        "references": [],
        "network_data_format": _network_data_format(trained),
    }


def _network_data_format(trained: Trained) -> dict[str, Any]:
    """Describe what goes into the network and what comes out of it."""
    config = trained.config
    windows = config.task == "segmentation"
    return {
        "inputs": {
            "image": {
                "type": "image",
                "format": "magnitude",
                "modality": "n/a",
                "num_channels": config.in_channels,
                "spatial_shape": config.roi_size,
                "dtype": "float32",
                "value_range": [],
                "is_patch_data": windows,
                "channel_def": {str(i): name for i, name in enumerate(_channels(trained))},
            }
        },
        "outputs": {
            "pred": {
                "type": "image" if windows else "probabilities",
                "format": "segmentation" if windows else "classes",
                "num_channels": config.out_channels,
                "spatial_shape": config.roi_size if windows else [],
                "dtype": "float32",
                "value_range": [],
                "is_patch_data": windows,
                "channel_def": _class_names(trained),
            }
        },
    }


def _class_names(trained: Trained) -> dict[str, str]:
    return {str(value): name for value, name in enumerate(trained.config.data.classes)}


def _channels(trained: Trained) -> list[str]:
    columns, each = trained.config.data.image_cols, trained.config.data.channels or 1
    return columns if each == 1 else [f"{column} {i}" for column in columns for i in range(each)]


def _found_classes(trained: Trained) -> list[str]:
    """List what the network finds: the classes, of a segmentation without the background."""
    classes = trained.config.data.classes
    return classes[1:] if trained.config.task == "segmentation" else classes
