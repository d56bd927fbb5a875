"""Predict cases with member after member, one model in memory at a time, and put together what they say."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback

from trainlib.callbacks import build_callbacks
from trainlib.config.schema import Config
from trainlib.data.cache import NoCache, make_cache
from trainlib.data.dataset import EvaluationDataset
from trainlib.data.geometry import Geometry
from trainlib.data.module import CSVDataModule
from trainlib.data.prepare import Preparation
from trainlib.data.splits import Case
from trainlib.data.workers import prepare_open_files
from trainlib.ensemble.chunks import Demand, chunks
from trainlib.ensemble.opinions import Opinions, Sum
from trainlib.folders.run import RunFolder
from trainlib.tasks import TASKS
from trainlib.trainer import explained, make_trainer

log = logging.getLogger(__name__)
Array = np.ndarray[Any, Any]


class Cases(CSVDataModule):
    """Loads given cases for prediction, as often as there are members.

    Args:
        config: The config.
        cases: The cases.
        cache: Where prepared cases come from.
    """

    def __init__(self, config: Config, cases: Sequence[Case], cache: NoCache) -> None:
        super().__init__(config)
        self.cases["predict"] = list(cases)
        self._datasets["predict"] = EvaluationDataset(cases, cache, config)

    def setup(self, stage: str) -> None:
        """Make ready to load many files; which cases there are is known."""
        self._open_files = prepare_open_files()


class _Receiver(Callback):
    """Hands on each prediction as soon as it is there."""

    def __init__(self, receive: Callable[[dict[str, Any]], None]) -> None:
        self.receive = receive

    def on_predict_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any, **__: Any) -> None:
        """Hand on the predictions of a batch."""
        for prediction in outputs["predictions"]:
            self.receive(prediction)


def map_opinions(
    config: Config, checkpoints: Sequence[Path], cases: Sequence[Case], scratch: Path, *, kept: bool
) -> Iterator[tuple[Case, Opinions]]:
    """Predict label maps with all members.

    The mean is a running sum in files that are mapped into memory, so that neither the number of members nor that of
    cases takes memory.

    Args:
        config: A complete config.
        checkpoints: Checkpoint of each member.
        cases: The cases.
        scratch: Empty folder for sums, label maps and prepared cases; it holds those of some cases at a time.
        kept: Whether the cases belong to the config, so that its own disk cache has them already.

    Yields:
        Each case with what the members say of it.
    """
    for chunk, cache in _parts(config, cases, scratch, len(checkpoints), kept=kept):
        sums = [Sum(scratch / f"{index}", len(checkpoints)) for index in range(len(chunk))]
        module = Cases(config, chunk, cache)
        for member, checkpoint in enumerate(checkpoints):
            _predict(config, checkpoint, module, partial(_add, sums, member))
        for case, total in zip(chunk, sums, strict=True):
            yield case, total.opinions()
            total.remove()


def class_opinions(
    config: Config, checkpoints: Sequence[Path], cases: Sequence[Case], scratch: Path, *, kept: bool
) -> Array:
    """Predict the classes of images with all members.

    Args:
        config: A complete config.
        checkpoints: Checkpoint of each member.
        cases: The cases.
        scratch: Empty folder for prepared cases; it holds some at a time.
        kept: Whether the cases belong to the config, so that its own disk cache has them already.

    Returns:
        Probabilities in double precision, shape (members, cases, classes).
    """
    classes = config.data.classes
    parts = []
    for chunk, cache in _parts(config, cases, scratch, len(checkpoints), kept=kept):
        found = np.full((len(checkpoints), len(chunk), len(classes)), np.nan)
        module = Cases(config, chunk, cache)
        for own, checkpoint in zip(found, checkpoints, strict=True):
            _predict(config, checkpoint, module, partial(_note, own, classes))
        parts.append(found)
    return np.concatenate(parts, axis=1)


def _note(found: Array, classes: Sequence[str], prediction: dict[str, Any]) -> None:
    """Note the probabilities of a case, shape (cases, classes)."""
    found[prediction["index"]] = [prediction["row"][f"probability_{name}"] for name in classes]


def _parts(
    config: Config, cases: Sequence[Case], scratch: Path, members: int, *, kept: bool
) -> Iterator[tuple[list[Case], NoCache]]:
    """Divide cases into parts that have room on the disk, each with the cache that every member takes them from.

    What the cache of a part holds is removed with it, unless the config keeps it anyway.
    """
    config_keeps = kept and config.data.cache == "disk"
    folder = config.cache_dir if config_keeps else scratch / "cache"
    cache = make_cache(Preparation(config, with_label=False), "disk", folder)
    demand = Demand(config, members)
    if not config_keeps and len(cases) > 1:
        cache.get(cases[0])
        demand.learn(cases[:1], folder)
    for chunk in chunks(cases, scratch, demand):
        yield chunk, cache
        if not config_keeps:
            demand.learn(chunk, folder)
            shutil.rmtree(folder, ignore_errors=True)


def _predict(config: Config, checkpoint: Path, module: Cases, receive: Callable[[dict[str, Any]], None]) -> None:
    """Predict all cases of a module with one model, which is gone from memory afterwards."""
    log.debug("Predicting with %s.", checkpoint)
    task = TASKS[config.task](config, Geometry(config), keep_probabilities=True)
    callbacks = build_callbacks("predict", config, RunFolder(checkpoint.parent.parent))
    with explained(config):
        trainer = make_trainer(config, [*callbacks, _Receiver(receive)])
        trainer.predict(task, datamodule=module, ckpt_path=checkpoint, return_predictions=False, weights_only=True)
    del task, trainer
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _add(sums: Sequence[Sum], member: int, prediction: dict[str, Any]) -> None:
    sums[prediction["index"]].add(member, prediction)
