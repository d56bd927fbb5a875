"""What a bundle says of itself: `metadata.json` and `docs/README.md`."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

from trainlib import __version__
from trainlib.bundle.trained import Trained
from trainlib.folders.results import Run

_PACKAGES = {"nibabel": "nibabel", "pytorch-ignite": "ignite", "fire": "fire", "pyyaml": "yaml"}
"""What MONAI needs to run the bundle, and what else a component of it may need."""
_INTENDED = (
    "Research on images like those it was trained on. It is no medical device, and nothing was done to show that it "
    "is fit for clinical decisions."
)


def metadata_of(trained: Trained, scores: dict[str, float]) -> dict[str, Any]:
    """Write `metadata.json` by MONAI's bundle specification.

    Args:
        trained: The run.
        scores: Scores of its test, or else of its validation.
    """
    config = trained.config
    classes = {str(value): name for value, name in enumerate(config.data.classes)}
    dims = config.data.spatial_dims
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": "0.1.0",
        "changelog": {"0.1.0": f"made of the run {config.run.name} by trainlib {__version__}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {name: found for name in _PACKAGES if (found := _version(name))},
        "name": config.run.name,
        "task": f"{dims}-D {config.task}",
        "description": f"A network for the {config.task} of {', '.join(_found_classes(trained))}.",
        "authors": "not told",
        "copyright": "not told",
        "data_source": "not told",
        "data_type": "images named in a CSV",
        "image_classes": f"{config.in_channels} channel{'s' if config.in_channels > 1 else ''}: "
        f"{', '.join(config.data.image_cols)}",
        "label_classes": ", ".join(f"{value}: {name}" for value, name in classes.items()),
        "pred_classes": ", ".join(f"{value}: {name}" for value, name in classes.items()),
        "eval_metrics": {name: value for name, value in scores.items() if math.isfinite(value)},
        "intended_use": _INTENDED,
        "references": [],
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "n/a",
                    "num_channels": config.in_channels,
                    "spatial_shape": config.roi_size,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": config.task == "segmentation",
                    "channel_def": {str(i): name for i, name in enumerate(_channels(trained))},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image" if config.task == "segmentation" else "probabilities",
                    "format": "segmentation" if config.task == "segmentation" else "classes",
                    "num_channels": config.out_channels,
                    "spatial_shape": config.roi_size if config.task == "segmentation" else [],
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": config.task == "segmentation",
                    "channel_def": classes,
                }
            },
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ImportError:
        return None


def _channels(trained: Trained) -> list[str]:
    columns, each = trained.config.data.image_cols, trained.config.data.channels or 1
    return columns if each == 1 else [f"{column} {i}" for column in columns for i in range(each)]


def _found_classes(trained: Trained) -> list[str]:
    classes = trained.config.data.classes
    return classes[1:] if trained.config.task == "segmentation" else classes


def scores_of(run: Run) -> tuple[str, dict[str, float]]:
    """Return the split that a run was scored on last, and its scores; none where nothing was scored."""
    if not run.folder.cases.is_file():
        return "valid", {}
    for split in ("test", "valid"):
        if (run.cases["split"] == split).any():
            return split, run.scores(split)
    return "valid", {}


def card_of(trained: Trained, split: str, scores: dict[str, float], scripts: list[str], notes: list[str]) -> str:
    """Write `docs/README.md`: what the network was trained on, how good it is, and how it is used.

    Args:
        trained: The run.
        split: What the scores are of.
        scores: The scores.
        scripts: Names of the scripts that the bundle brings along.
        notes: What is to be known besides.
    """
    config = trained.config
    columns = ",".join(config.data.image_cols)
    files = ",".join(f"images/{column}_01.nii.gz" for column in config.data.image_cols)
    cases = len(set(trained.run.cases[trained.run.cases["split"] == split]["case"])) if scores else 0
    parts = [
        f"# {config.run.name}\n",
        f"A network for {config.data.spatial_dims}-D {config.task}, in the form of a MONAI bundle.\n",
        "## Data\n",
        f"- input: {config.in_channels} channel(s), from the columns {', '.join(config.data.image_cols)}",
        f"- classes: {', '.join(f'{value} {name}' for value, name in enumerate(config.data.classes))}",
        f"- window of the network: {' x '.join(map(str, config.roi_size))} voxels\n",
        "## Scores\n",
        f"Of {cases} {split} cases.\n" if scores else "The run has no scores.\n",
        *([_table(scores)] if scores else []),
        "## Intended use\n",
        f"{_INTENDED}\n",
        "## Use\n",
        "A CSV `cases.csv` lists the images; relative paths start from its folder:\n",
        f"```\n{columns}\n{files}\n```\n",
        "With `pip install monai nibabel pytorch-ignite fire pyyaml`, in the folder of this bundle:\n",
        "```sh\npython -m monai.bundle run --config_file configs/inference.yaml --dataset_dir FOLDER_OF_THE_CSV \\\n"
        "    --output_dir predictions\n```\n",
        "Predictions have the names and the geometry of the images; images that share a name need separate CSVs.\n",
        *([f"`scripts/` holds code that the configs refer to: {', '.join(scripts)}.\n"] if scripts else []),
        *(f"{note}\n" for note in notes),
    ]
    return "\n".join(parts)


def _table(scores: dict[str, float]) -> str:
    rows = [f"| {name} | {value:.4g} |" for name, value in scores.items() if math.isfinite(value)]
    return "\n".join(["| score | value |", "|---|---|", *rows]) + "\n"
