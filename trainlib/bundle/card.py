"""What a bundle says of itself to people: `docs/README.md`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import yaml

from trainlib.bundle.metadata import INTENDED
from trainlib.bundle.requirements import Requirements
from trainlib.bundle.trained import Trained
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.splits import read_split
from trainlib.errors import DataError
from trainlib.folders.results import Run
from trainlib.words import count, listed

_SPLITS = {"train": "training", "valid": "validation", "test": "test"}
_EXPLAINED = (
    "hd, hd95 and asd are distances of surfaces in mm, nsd is the share of the surface within the tolerance; missed "
    "and false_positive count structures.\n"
)


def scores_of(run: Run) -> tuple[str, dict[str, float]]:
    """Return the split that a run was scored on last, and its scores; none where nothing was scored."""
    if not run.folder.cases.is_file():
        return "valid", {}
    for split in ("test", "valid"):
        if (run.cases["split"] == split).any():
            return split, run.scores(split)
    return "valid", {}


def card_of(
    trained: Trained, split: str, scores: dict[str, float], needed: Requirements, scripts: list[str], notes: list[str]
) -> str:
    """Write `docs/README.md`: what the network was trained on, how good it is, and how it is used.

    Args:
        trained: The run.
        split: What the scores are of.
        scores: The scores.
        needed: What must be installed.
        scripts: Names of the scripts that the bundle brings along.
        notes: What is to be known besides.
    """
    config = trained.config
    parts = [
        f"# {config.run.name}\n",
        f"A network for {config.data.spatial_dims}-D {config.task}, in the form of a MONAI bundle.\n",
        *_data(config),
        "## Scores\n",
        *_scores(trained.run, split, scores),
        "## Intended use\n",
        f"{INTENDED}\n",
        *_use(config, needed),
        f"`scripts/` holds code that the configs refer to: {', '.join(scripts)}. It is run with the bundle.\n",
        *(f"{note}\n" for note in notes),
    ]
    return "\n".join(parts)


def _data(config: Config) -> Iterator[str]:
    yield "## Data\n"
    if sizes := [f"{size} for {name}" for split, name in _SPLITS.items() if (size := _size(config, split))]:
        yield f"- cases: {listed(sizes)}"
    columns = "column" if len(config.data.image_cols) == 1 else "columns"
    yield f"- input: {count(config.in_channels, 'channel')}, from the CSV {columns} {listed(config.data.image_cols)}"
    yield f"- classes: {', '.join(f'{value} {name}' for value, name in enumerate(config.data.classes))}"
    yield f"- window of the network: {' x '.join(map(str, config.roi_size))} voxels"
    yield "- preprocessing, which `configs/inference.yaml` repeats:\n"
    steps = [step.model_dump() for step in config.transforms.base]
    yield f"```yaml\n{yaml.safe_dump(steps, sort_keys=False)}```\n"


def _size(config: Config, split: str) -> int:
    """Count the cases of a split; 0 where its files are gone."""
    try:
        return len(read_split(config, split))
    except DataError:
        return 0


def _scores(run: Run, split: str, scores: dict[str, float]) -> Iterator[str]:
    if not scores:
        yield "The run has no scores.\n"
        return
    cases = len(set(run.cases[run.cases["split"] == split]["case"]))
    yield f"Of {count(cases, f'{_SPLITS[split]} case')}.\n"
    classes = list(dict.fromkeys(name.partition("/")[2] for name in scores if "/" in name))
    metrics = dict.fromkeys(name.partition("/")[0] for name in scores)
    yield f"| | all | {' | '.join(classes)} |" if classes else "| | all |"
    yield f"|---|---|{'---|' * len(classes)}"
    for metric in metrics:
        cells = [scores.get(f"{metric}/{name}" if name else metric, math.nan) for name in ("", *classes)]
        yield f"| {metric} | {' | '.join(f'{value:.4g}' if math.isfinite(value) else '' for value in cells)} |"
    yield ""
    if run.config.task == SEGMENTATION:
        yield _EXPLAINED


def _use(config: Config, needed: Requirements) -> Iterator[str]:
    columns, suffix = config.data.image_cols, ".png" if config.data.spatial_dims == 2 else ".nii.gz"
    yield "## Use\n"
    yield "A CSV `cases.csv` lists the images; relative paths start from the folder that `--dataset_dir` names:\n"
    yield f"```\n{','.join(columns)}\n{','.join(f'images/{column}_01{suffix}' for column in columns)}\n```\n"
    yield "In the folder of this bundle:\n"
    yield f"```sh\npip install monai {' '.join(needed.versions)}"
    yield (
        "python -m monai.bundle run --config_file configs/inference.yaml --dataset_dir FOLDER_OF_THE_CSV \\\n"
        "    --output_dir predictions\n```\n"
    )
    yield "The versions that it was made with are in `configs/metadata.json`; a CSV elsewhere is named by `--csv`.\n"
    if needed.strangers:
        yield f"pip cannot install {listed(needed.strangers)}, which the bundle imports: ask its owner.\n"
    if config.task == SEGMENTATION:
        values = listed([f"{value} is {name}" for value, name in enumerate(config.data.classes)])
        yield f"Label maps get the names of the images, and lie exactly over them. In them {values}.\n"
    else:
        yield "`predictions.csv` gets a row for each image, with its class and the probability of each.\n"
    yield "What is in the output folder under these names is replaced.\n"
