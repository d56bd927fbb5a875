"""The commands that train a network and use it: fit, validate, test, predict."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trainlib.cli.app import SETTINGS, Files, app
from trainlib.cli.arguments import arguments, existing, trained
from trainlib.cli.checking import checked
from trainlib.cli.output import show_metrics, show_results, speaks, start_logging, told
from trainlib.system.collecting import uncollected


class Method(StrEnum):
    """How the members of an ensemble are combined."""

    mean = "mean"
    vote = "vote"
    staple = "staple"


Checkpoint = Annotated[str | None, typer.Option("--ckpt_path", help="Checkpoint to use.")]


@app.command(context_settings=SETTINGS)
def fit(
    ctx: typer.Context,
    config: Files = None,
    ckpt_path: Annotated[
        str | None, typer.Option("--ckpt_path", help="Checkpoint to continue from; `last` continues the newest run.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Look for common mistakes in two short epochs on a few cases.")
    ] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not read the headers of all files beforehand.")
    ] = False,
    print_config: Annotated[bool, typer.Option("--print_config", help="Print the complete config and exit.")] = False,
) -> None:
    """Train, then test the best checkpoint. Settings follow as KEY=VALUE, as in trainer.max_epochs=5."""
    from trainlib.data.once import reading_once

    with reading_once():
        _fit(ctx, config, ckpt_path, debug=debug, check=not no_check, print_config=print_config)


def _fit(
    ctx: typer.Context, config: Files, ckpt_path: str | None, *, debug: bool, check: bool, print_config: bool
) -> None:
    files, overrides = arguments(ctx, config)
    with uncollected():
        ready = checked(files, overrides, "fit", continued=ckpt_path is not None, print_config=print_config)
        from trainlib.callbacks import Record
        from trainlib.commands.reproduce import REPETITION
        from trainlib.run import fit as run_fit

    start_logging()
    record = Record(("trainlib", *sys.argv[1:]), tuple(files))
    again = REPETITION in os.environ  # whose parent says how to go on
    with told(
        None if debug or again else lambda checkpoint: _how_to_resume(files, overrides, checkpoint),
        (lambda: "") if again else None,
    ):
        run = run_fit(ready, ckpt_path=ckpt_path, record=record, debug=debug, check=check)
        if not debug and speaks():  # the scores of two epochs would look like results
            show_results(run)


@app.command(context_settings=SETTINGS)
def validate(ctx: typer.Context, config: Files = None, ckpt_path: Checkpoint = None) -> None:
    """Score a checkpoint on the validation split: validate RUN, or validate -c CONFIG --ckpt_path CHECKPOINT."""
    _score(ctx, config, ckpt_path, "validate")


@app.command(context_settings=SETTINGS)
def test(ctx: typer.Context, config: Files = None, ckpt_path: Checkpoint = None) -> None:
    """Score a checkpoint on the test split: test RUN, or test -c CONFIG --ckpt_path CHECKPOINT."""
    _score(ctx, config, ckpt_path, "test")


@app.command(context_settings=SETTINGS)
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
    method: Annotated[
        Method | None, typer.Option("--method", help="How the members of an ensemble are combined; default: mean.")
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write the entropy of an ensemble's mean in nats too.")
    ] = False,
) -> None:
    """Write a prediction for each case: predict RUN --csv NEW.csv, or predict -c CONFIG --ckpt_path CHECKPOINT."""
    from trainlib.cli.joint import ensemble_among, predict_jointly, refuse_joint_options

    if ensemble_among(ctx.args) is not None:
        options = {"out": out, "probabilities": probabilities, "overwrite": overwrite, "uncertainty": uncertainty}
        predict_jointly(ctx, config, ckpt_path, csv, method or Method.mean, options)
        return
    refuse_joint_options(method, uncertainty)
    files, overrides, checkpoint = trained(ctx, config, ckpt_path)
    ready = checked(files, overrides, "predict", csv=csv, checkpoint=checkpoint)
    from trainlib.run import predict as run_predict

    start_logging()
    with told():
        folder = run_predict(
            ready, existing(checkpoint, ready), out=out, probabilities=probabilities, overwrite=overwrite
        )
        if speaks():
            print(f"predictions  {folder}")


def _score(ctx: typer.Context, config: list[Path] | None, ckpt_path: str | None, stage: str) -> None:
    files, overrides, checkpoint = trained(ctx, config, ckpt_path)
    ready = checked(files, overrides, stage, checkpoint=checkpoint)
    from trainlib import run

    start_logging()
    with told():
        metrics = getattr(run, stage)(ready, existing(checkpoint, ready))
        if speaks():
            show_metrics(metrics)


def _how_to_resume(files: list[Path], overrides: list[str], checkpoint: Path) -> str:
    import shlex

    words = ["trainlib", "fit", *(word for file in files for word in ("-c", str(file))), *overrides]
    return f"{_what_is_left(checkpoint)} with:\n  {shlex.join([*words, '--ckpt_path', str(checkpoint)])}"


def _what_is_left(checkpoint: Path) -> str:
    from trainlib.checkpoints.checkpoint import epochs_in, planned_epochs, read_checkpoint
    from trainlib.errors import CheckpointError

    try:
        content = read_checkpoint(checkpoint)
    except CheckpointError:  # damaged since then, which the command below will tell
        return "It goes on"
    done, planned = epochs_in(content), planned_epochs(content)
    return f"It goes on from epoch {done + 1} of {planned}" if done < planned else "All epochs are trained; it goes on"
