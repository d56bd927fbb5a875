"""What the words of the command line mean: config files, settings, run folder and checkpoint."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trainlib.cli.output import refuse
from trainlib.errors import Problem
from trainlib.suggest import nearest

if TYPE_CHECKING:
    from trainlib.config.schema import Config


def arguments(ctx: typer.Context, config: list[Path] | None) -> tuple[list[Path], list[str]]:
    """Split what typer left over into settings; refuse everything else."""
    overrides, rest = _settings(ctx)
    if rest:
        refuse([Problem(f"{rest[0]}: expected a setting such as trainer.max_epochs=5.")])
    if not config:
        refuse([Problem("-c is missing. Name a config file, as in `trainlib fit -c config.yaml`.")])
    return config, overrides


def trained(
    ctx: typer.Context, config: list[Path] | None, ckpt_path: str | None
) -> tuple[list[Path], list[str], str | None]:
    """Find config files, settings and checkpoint of a command that takes a run folder or a config."""
    overrides, rest = _settings(ctx)
    if len(rest) == 1 and not config:
        folder = Path(rest[0])
        if (folder / "ensemble.yaml").is_file():
            refuse([Problem(f"{folder} is an ensemble, which `trainlib predict` takes. Name one of its members.")])
        if not (folder / "config.yaml").is_file():
            refuse([Problem(f"{folder} is not a run folder: it has no config.yaml.")])
        return [folder / "config.yaml"], overrides, _checkpoint_of(folder, ckpt_path)
    if rest:
        refuse([Problem(f"{rest[-1]}: expected one run folder, or -c and settings such as data.batch_size=1.")])
    if not config:
        refuse([Problem("Name a run folder, or a config with -c and a checkpoint with --ckpt_path.")])
    if ckpt_path is None and not _brings_weights(config, overrides):
        refuse([Problem("--ckpt_path is missing. Name a checkpoint, or `last` or `best` of the newest run.")])
    return config, overrides, ckpt_path


def _checkpoint_of(folder: Path, ckpt_path: str | None) -> str:
    """Choose a checkpoint of a run: the best, or else the last; `best` and `last` mean those of this very run."""
    if ckpt_path not in (None, "best", "last"):
        return str(ckpt_path)
    names = [ckpt_path] if ckpt_path else ["best", "last"]
    paths = [folder / "checkpoints" / f"{name}.ckpt" for name in names]
    found = next((str(path) for path in paths if path.is_file()), None)
    if found is None:
        refuse([Problem(f"{folder} has no checkpoint {' or '.join(map(str, names))} yet.")])
    return found


def _brings_weights(config: list[Path], overrides: list[str]) -> bool:
    """Tell whether the network needs no checkpoint; what is wrong with the config is told later."""
    from trainlib.config.load import read_config

    found = read_config(config, overrides).config
    return found is not None and found.model.brings_weights


def existing(checkpoint: str | None, config: Config) -> Path | None:
    """Turn `last` and `best` into the checkpoint of the newest run; None stays None."""
    from trainlib.folders.naming import latest

    if checkpoint not in ("last", "best"):
        return None if checkpoint is None else Path(checkpoint)
    folder = latest(config)
    if folder is None:
        refuse([Problem(f"--ckpt_path {checkpoint}: there is no run {config.run.name} in {config.run.root}.")])
    return folder.last if checkpoint == "last" else folder.best


def _settings(ctx: typer.Context) -> tuple[list[str], list[str]]:
    """Sort left-over words into settings (KEY=VALUE, --KEY=VALUE, --KEY VALUE) and others."""
    from trainlib.config.schema import Config

    options = [name for parameter in ctx.command.params for name in parameter.opts if name.startswith("--")]
    settings, rest, words = [], [], list(ctx.args)
    while words:
        word = words.pop(0)
        name = word.split("=")[0]
        if word.startswith("-"):
            if name.lstrip("-").split(".")[0] not in Config.model_fields:
                meant = nearest(name, [*options, *(f"--{field}" for field in Config.model_fields)])
                hint = f" Did you mean {meant}?" if meant else " See --help."
                refuse([Problem(f"{name} is neither an option nor a setting.{hint}")])
            if "=" not in word:
                if not words:
                    refuse([Problem(f"{word}: the value is missing, as in {word}=VALUE.")])
                word = f"{word}={words.pop(0)}"
        elif "=" not in word or os.path.exists(word):  # Path refuses a long name with an error
            rest.append(word)
            continue
        settings.append(word)
    return settings, rest
