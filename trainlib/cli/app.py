"""The commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

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


@app.command(context_settings=_SETTINGS)
def fit(
    ctx: typer.Context,
    config: Files = None,
    ckpt_path: Annotated[
        str | None, typer.Option("--ckpt_path", help="Checkpoint to continue from; `last` continues the newest run.")
    ] = None,
    print_config: Annotated[bool, typer.Option("--print_config", help="Print the complete config and exit.")] = False,
) -> None:
    """Train, then test the best checkpoint. Settings follow as KEY=VALUE, as in trainer.max_epochs=5."""
    files, overrides = arguments(ctx, config)
    ready = checked(files, overrides, "fit", print_config=print_config)
    from trainlib.callbacks import Record
    from trainlib.run import fit as run_fit

    start_logging()
    with told(lambda checkpoint: _how_to_resume(files, overrides, checkpoint)):
        run = run_fit(ready, ckpt_path=ckpt_path, record=Record(("trainlib", *sys.argv[1:]), tuple(files)))
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
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write the softmax too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into --out even if it holds files.")] = False,
) -> None:
    """Write a prediction for each case: predict RUN --csv NEW.csv, or predict -c CONFIG --ckpt_path CHECKPOINT."""
    files, overrides, checkpoint = trained(ctx, config, ckpt_path)
    ready = checked(files, overrides, "predict", csv=csv)
    from trainlib.run import predict as run_predict

    start_logging()
    with told():
        folder = run_predict(
            ready, existing(checkpoint, ready), out=out, probabilities=probabilities, overwrite=overwrite
        )
        print(f"predictions  {folder}")


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
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draws.")] = 0,
) -> None:
    """Write a small generated data set with its three CSV files."""
    from trainlib.data.phantom import CLASSES, make_dataset

    try:
        make_dataset(folder, spatial_dims=dims, channels=channels, seed=seed)
    except FileExistsError as error:
        refuse([Problem(f"{error}. Choose another folder.")])
    print(f"{folder}: train.csv, valid.csv, test.csv; classes: {', '.join(CLASSES)}")


def main() -> NoReturn:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print(f"trainlib {trainlib.__version__}")
        sys.exit(0)
    sys.exit(app())


def _score(ctx: typer.Context, config: list[Path] | None, ckpt_path: str | None, stage: str) -> None:
    files, overrides, checkpoint = trained(ctx, config, ckpt_path)
    ready = checked(files, overrides, stage)
    from trainlib import run

    start_logging()
    with told():
        metrics = getattr(run, stage)(ready, existing(checkpoint, ready))
        show_metrics(metrics)


def _how_to_resume(files: list[Path], overrides: list[str], checkpoint: Path) -> str:
    import shlex

    words = ["trainlib", "fit", *(word for file in files for word in ("-c", str(file))), *overrides]
    return f"Continue from the last finished epoch with:\n  {shlex.join([*words, '--ckpt_path', str(checkpoint)])}"
