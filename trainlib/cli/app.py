"""The commands."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import trainlib
from trainlib.cli.arguments import arguments, existing, trained
from trainlib.cli.checking import checked
from trainlib.cli.output import refuse, show_metrics, show_results, start_logging, told
from trainlib.errors import Problem

app = typer.Typer(
    name="trainlib",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train networks on medical images from three CSV files and one YAML file.",
)

_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
Files = Annotated[
    list[Path] | None, typer.Option("-c", "--config", help="Config file; may be given several times, later ones win.")
]
Checkpoint = Annotated[str | None, typer.Option("--ckpt_path", help="Checkpoint to use.")]


class _Task(StrEnum):
    segmentation = "segmentation"
    classification = "classification"


class _Format(StrEnum):
    png = "png"
    nifti = "nifti"


@app.command(context_settings=_SETTINGS)
def fit(
    ctx: typer.Context,
    config: Files = None,
    ckpt_path: Annotated[
        str | None, typer.Option("--ckpt_path", help="Checkpoint to continue from; `last` continues the newest run.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Look for common mistakes in two short epochs on a few cases.")
    ] = False,
    print_config: Annotated[bool, typer.Option("--print_config", help="Print the complete config and exit.")] = False,
) -> None:
    """Train, then test the best checkpoint. Settings follow as KEY=VALUE, as in trainer.max_epochs=5."""
    files, overrides = arguments(ctx, config)
    ready = checked(files, overrides, "fit", print_config=print_config)
    from trainlib.callbacks import Record
    from trainlib.run import fit as run_fit

    start_logging()
    record = Record(("trainlib", *sys.argv[1:]), tuple(files))
    with told(None if debug else lambda checkpoint: _how_to_resume(files, overrides, checkpoint)):
        run = run_fit(ready, ckpt_path=ckpt_path, record=record, debug=debug)
        if not debug:  # the scores of two epochs would look like results
            show_results(run)


@app.command(context_settings=_SETTINGS)
def validate(ctx: typer.Context, config: Files = None, ckpt_path: Checkpoint = None) -> None:
    """Score a checkpoint on the validation split: validate RUN, or validate -c CONFIG --ckpt_path CHECKPOINT."""
    _score(ctx, config, ckpt_path, "validate")


@app.command(context_settings=_SETTINGS)
def test(ctx: typer.Context, config: Files = None, ckpt_path: Checkpoint = None) -> None:
    """Score a checkpoint on the test split: test RUN, or test -c CONFIG --ckpt_path CHECKPOINT."""
    _score(ctx, config, ckpt_path, "test")


@app.command(context_settings=_SETTINGS)
def predict(
    ctx: typer.Context,
    config: Files = None,
    ckpt_path: Checkpoint = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Cases to predict; relative paths in it start from its folder.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files; default: in the run folder.")] = None,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Write the softmax of segmentations too."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into --out even if it holds files.")] = False,
) -> None:
    """Write a prediction for each case: predict RUN --csv NEW.csv, or predict -c CONFIG --ckpt_path CHECKPOINT."""
    files, overrides, checkpoint = trained(ctx, config, ckpt_path)
    ready = checked(files, overrides, "predict", csv=csv, checkpoint=checkpoint)
    from trainlib.run import predict as run_predict

    start_logging()
    with told():
        folder = run_predict(
            ready, existing(checkpoint, ready), out=out, probabilities=probabilities, overwrite=overwrite
        )
        print(f"predictions  {folder}")


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Write the report of a run again, from its folder alone."""
    from trainlib.report import write_report

    with told():
        print(write_report(folder))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the config, with which editors complete and check it."""
    from trainlib.config.schema import Config

    print(json.dumps(Config.model_json_schema(), indent=2))


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="Empty or new folder.")],
    dims: Annotated[int, typer.Option("--dims", min=2, max=3, help="Spatial dimensions.")] = 3,
    channels: Annotated[int, typer.Option("--channels", min=1, help="Images of each case.")] = 1,
    task: Annotated[_Task, typer.Option("--task", help="What the labels are for.")] = _Task.segmentation,
    multilabel: Annotated[
        bool, typer.Option("--multilabel", help="Several findings in an image, a 0/1 column for each.")
    ] = False,
    file_format: Annotated[
        _Format | None, typer.Option("--format", help="Of images and masks; default: png in 2-D, nifti in 3-D.")
    ] = None,
    rgb: Annotated[bool, typer.Option("--rgb", help="Colour pictures; 2-D PNG alone.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draws.")] = 0,
) -> None:
    """Write a small generated data set with its three CSV files."""
    file_format = file_format or (_Format.png if dims == 2 else _Format.nifti)
    if file_format == _Format.png and dims == 3:
        refuse([Problem("--format png: a picture has two dimensions. Add --dims 2, or leave it out.")])
    if rgb and (file_format != _Format.png or channels > 1):
        refuse([Problem("--rgb: only 2-D PNG images have colours, which are their channels. Add --dims 2 alone.")])
    if multilabel and task != _Task.classification:
        refuse([Problem("--multilabel: only classification has findings. Add --task classification.")])
    from trainlib.data.phantom import CLASSES, FINDINGS, make_classification_dataset, make_dataset

    common: dict[str, Any] = {"spatial_dims": dims, "channels": channels, "file_format": file_format.value, "rgb": rgb}
    try:
        if task == _Task.classification:
            make_classification_dataset(folder, multilabel=multilabel, seed=seed, **common)
        else:
            make_dataset(folder, seed=seed, **common)
    except FileExistsError as error:
        refuse([Problem(f"{error}. Choose another folder.")])
    classes = FINDINGS if task == _Task.classification else CLASSES
    print(f"{folder}: train.csv, valid.csv, test.csv; classes: {', '.join(classes)}")


def main() -> NoReturn:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print(f"trainlib {trainlib.__version__}")
        sys.exit(0)
    sys.exit(app())


def _score(ctx: typer.Context, config: list[Path] | None, ckpt_path: str | None, stage: str) -> None:
    files, overrides, checkpoint = trained(ctx, config, ckpt_path)
    ready = checked(files, overrides, stage, checkpoint=checkpoint)
    from trainlib import run

    start_logging()
    with told():
        metrics = getattr(run, stage)(ready, existing(checkpoint, ready))
        show_metrics(metrics)


def _how_to_resume(files: list[Path], overrides: list[str], checkpoint: Path) -> str:
    import shlex

    words = ["trainlib", "fit", *(word for file in files for word in ("-c", str(file))), *overrides]
    return f"Continue from the last finished epoch with:\n  {shlex.join([*words, '--ckpt_path', str(checkpoint)])}"
