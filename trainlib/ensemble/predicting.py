"""Predict with all members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlib.checkpoints.checkpoint import compare, read_checkpoint
from trainlib.config.schema import Config
from trainlib.data.complete import complete
from trainlib.data.splits import Case, read_split
from trainlib.ensemble.combine import check_method, combine_classes
from trainlib.ensemble.decision import Decision
from trainlib.ensemble.members import members_of
from trainlib.ensemble.probabilities import class_opinions, map_opinions
from trainlib.ensemble.scratch import scratch_folder
from trainlib.ensemble.writing import class_row, class_uncertainty, write_files, write_links
from trainlib.errors import CheckpointError, ConfigError, Problem
from trainlib.folders.destinations import protect_inputs
from trainlib.folders.ensemble import Ensemble
from trainlib.folders.naming import unique_folder
from trainlib.start import alone
from trainlib.system.signals import interruptible


@dataclass(frozen=True)
class _Wanted:
    """What is to be written.

    Attributes:
        method: How the members are combined.
        probabilities: Whether the mean of their probabilities is.
        uncertainty: Whether its entropy is.
    """

    method: str
    probabilities: bool
    uncertainty: bool


def predict_ensemble(
    ensemble: Ensemble,
    config: Config,
    *,
    out: str | Path | None = None,
    method: str = "mean",
    probabilities: bool = False,
    uncertainty: bool = False,
    overwrite: bool = False,
) -> Path:
    """Predict the cases of `data.predict_csv`, or else of `data.test_csv`, with all members together.

    Args:
        ensemble: The ensemble, whose members are finished.
        config: Its config, with what is to be predicted.
        out: Folder for the files; by default a new folder ``predictions`` in that of the ensemble.
        method: ``mean``, ``vote`` or, for segmentations, ``staple``.
        probabilities: Whether to write the mean of the members' softmax as well.
        uncertainty: Whether to write the entropy of that mean in nats as well, voxel by voxel.
        overwrite: Whether `out` may hold files already.

    Returns:
        The folder with one file for each case, and ``predictions.csv``.

    Raises:
        InputError: Something in the config, the CSV, a file or a checkpoint is wrong, or a member is not trained.
    """
    check_method(method, config.task)
    alone(config, "trainlib predict")
    checkpoints = _checkpoints(ensemble)
    config = complete(config, read_checkpoint(checkpoints[0])["trainlib"]["config"])
    for checkpoint in checkpoints:
        _compare(checkpoint, config, told=checkpoint == checkpoints[0])
    config = config.model_copy(update={"trainer": _trainer(ensemble, config)})
    cases = read_split(config, "predict")
    if not cases:
        raise ConfigError("data.predict_csv is missing. Name the CSV of the cases to predict.")
    with interruptible():
        target = _target(ensemble, out, overwrite)
        if config.task == "segmentation":
            protect_inputs(target, cases, config.data.spatial_dims)
        with scratch_folder(ensemble.folder.path, target) as scratch:
            write = _predict_maps if config.task == "segmentation" else _predict_classes
            write(config, checkpoints, cases, scratch, target, _Wanted(method, probabilities, uncertainty))
    return target


def _predict_maps(
    config: Config, checkpoints: Sequence[Path], cases: Sequence[Case], scratch: Path, target: Path, wanted: _Wanted
) -> None:
    decision = Decision(config)
    links = []
    for case, opinions in map_opinions(config, checkpoints, cases, scratch, kept=False):
        label_map = decision.label_map(opinions, wanted.method)
        more = {"probabilities": wanted.probabilities, "uncertainty": wanted.uncertainty}
        links.append(write_files(target, case, label_map, opinions, **more))
    write_links(target, config, cases, links)


def _predict_classes(
    config: Config, checkpoints: Sequence[Path], cases: Sequence[Case], scratch: Path, target: Path, wanted: _Wanted
) -> None:
    found = class_opinions(config, checkpoints, cases, scratch, kept=False)
    mean, chosen = (combine_classes(found, name, multilabel=config.multilabel) for name in ("mean", wanted.method))
    rows = [class_row(config, row) for row in chosen]
    if wanted.uncertainty:
        rows = [row | {"uncertainty": class_uncertainty(config, p)} for row, p in zip(rows, mean, strict=True)]
    write_links(target, config, cases, rows)


def _checkpoints(ensemble: Ensemble) -> list[Path]:
    """Return the best checkpoint of each member.

    Raises:
        CheckpointError: Some members are not trained yet; predictions of the others would pass for those of all.
    """
    members = members_of(ensemble)
    if missing := [member for member in members if not member.finished]:
        raise CheckpointError(
            Problem(f"{ensemble.folder.path}: {member.name} is not trained to its end. Run `trainlib ensemble` again.")
            for member in missing
        )
    return [member.run.checkpoint for member in members]


def _trainer(ensemble: Ensemble, config: Config) -> dict[str, Any]:
    """Show the progress, which the members' configs switch off, unless that of the ensemble does."""
    hidden = "enable_progress_bar" not in ensemble.config.trainer
    return {name: value for name, value in config.trainer.items() if name != "enable_progress_bar" or not hidden}


def _compare(checkpoint: Path, config: Config, *, told: bool) -> None:
    """Check that the weights of a member fit; its cases and its seed are its own.

    Args:
        checkpoint: Its checkpoint.
        config: The config of the prediction.
        told: Whether to log what differs, which is the same for all members.
    """
    content = read_checkpoint(checkpoint)
    own = content["trainlib"]["config"]
    csvs = {f"{split}_csv": own["data"][f"{split}_csv"] for split in ("train", "valid")}
    data = config.data.model_copy(update=csvs)
    compare(content, config.model_copy(update={"data": data, "seed": own["seed"]}), checkpoint, told=told)


def _target(ensemble: Ensemble, out: str | Path | None, overwrite: bool) -> Path:
    """Make the folder of the predictions: the one that was asked for, else a new one in that of the ensemble."""
    if out is None:
        return unique_folder(ensemble.folder.predictions)
    target = Path(out)
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise ConfigError(f"--out: {out} holds files already. Choose another folder, or add --overwrite.")
    target.mkdir(parents=True, exist_ok=True)
    return target
