"""Predict with all members of an ensemble, where the command was given its folder in place of a run's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from trainlib.cli.arguments import trained
from trainlib.cli.checking import checked
from trainlib.cli.output import refuse, start_logging, told
from trainlib.errors import Problem
from trainlib.folders.ensemble import is_ensemble, read_ensemble


def ensemble_among(words: Sequence[str]) -> Path | None:
    """Find the folder of an ensemble among the words of a command."""
    return next((Path(word) for word in words if is_ensemble(word)), None)


def refuse_joint_options(method: str | None, uncertainty: bool) -> None:
    """Refuse the options that a single model has no use for."""
    given = [name for name, value in (("--method", method), ("--uncertainty", uncertainty)) if value]
    if given:
        refuse([Problem(f"{name}: only an ensemble has it. Name the folder of one or leave it out.") for name in given])


def predict_jointly(
    ctx: typer.Context,
    config: list[Path] | None,
    ckpt_path: str | None,
    csv: Path | None,
    method: str,
    options: dict[str, Any],
) -> None:
    """Predict with all members; the config is that of the first, with the settings of the command."""
    if ckpt_path is not None:
        refuse([Problem("--ckpt_path: an ensemble predicts with the best checkpoint of every member. Leave it out.")])
    folder = ensemble_among(ctx.args)
    assert folder is not None
    with told():
        ensemble = read_ensemble(folder)
    first = ensemble.folder.member(ensemble.members[0]).path
    ctx.args = [str(first) if Path(word) == folder else word for word in ctx.args]
    files, overrides, checkpoint = trained(ctx, config, None)
    ready = checked(files, overrides, "predict", csv=csv, checkpoint=checkpoint)
    from trainlib.ensemble.predicting import predict_ensemble

    start_logging()
    with told():
        print(f"predictions  {predict_ensemble(ensemble, ready, method=str(method), **options)}")
