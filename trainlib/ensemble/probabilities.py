"""Predict cases with member after member, one model in memory at a time, and put together what they say."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from trainlib.ensemble.chunks import chunks
from trainlib.folder import RunFolder
from trainlib.tasks import TASKS
from trainlib.trainer import explained, make_trainer

log = logging.getLogger(__name__)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Opinions:
    """What the members say of one case, on the grid of its image file.

    Attributes:
        probabilities: Mean over the members, float32, shape (classes, ...).
        label_maps: Class values that each member decided on, shape (members, ...).
        affine: Affine of the image.
    """

    probabilities: Array
    label_maps: Array
    affine: Array


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
    config: Config, checkpoints: Sequence[Path], cases: Sequence[Case], cache: NoCache, scratch: Path
) -> Iterator[tuple[Case, Opinions]]:
    """Predict label maps with all members.

    The mean is a running sum in files that are mapped into memory, so that neither the number of members nor that of
    cases takes memory.

    Args:
        config: A complete config.
        checkpoints: Checkpoint of each member.
        cases: The cases.
        cache: Where prepared cases come from.
        scratch: Folder for the running sums, which are removed as soon as a case has been yielded.

    Yields:
        Each case with what the members say of it.
    """
    for chunk in chunks(config, cases, scratch):
        sums = [_Sum(scratch / f"{index}", len(checkpoints)) for index in range(len(chunk))]
        module = Cases(config, chunk, cache)
        for member, checkpoint in enumerate(checkpoints):
            _predict(config, checkpoint, module, partial(_add, sums, member))
        for case, total in zip(chunk, sums, strict=True):
            yield case, total.opinions()
            total.remove()


def class_opinions(config: Config, checkpoints: Sequence[Path], cases: Sequence[Case], cache: NoCache) -> Array:
    """Predict the classes of images with all members.

    Returns:
        Probabilities in double precision, shape (members, cases, classes).
    """
    classes = config.data.classes
    found = np.full((len(checkpoints), len(cases), len(classes)), np.nan)
    module = Cases(config, cases, cache)

    def receive(member: int, prediction: dict[str, Any]) -> None:
        found[member, prediction["index"]] = [prediction["row"][f"probability_{name}"] for name in classes]

    for member, checkpoint in enumerate(checkpoints):
        _predict(config, checkpoint, module, partial(receive, member))
    return found


def cache_for(config: Config, scratch: Path, *, kept: bool) -> NoCache:
    """Make the cache from which every member takes the prepared cases.

    Args:
        config: A complete config.
        scratch: Folder whose content is removed afterwards.
        kept: Whether the cases belong to the config, so that its own disk cache has them already.
    """
    folder = config.cache_dir if kept and config.data.cache == "disk" else scratch / "cache"
    return make_cache(Preparation(config, with_label=False), "disk", folder)


def _predict(config: Config, checkpoint: Path, module: Cases, receive: Callable[[dict[str, Any]], None]) -> None:
    """Predict all cases of a module with one model, which is gone from memory afterwards."""
    log.debug("Predicting with %s.", checkpoint)
    task = TASKS[config.task](config, Geometry(config), keep_probabilities=True)
    callbacks = build_callbacks("predict", config, RunFolder(checkpoint.parent.parent))
    with explained():
        trainer = make_trainer(config, [*callbacks, _Receiver(receive)])
        trainer.predict(task, datamodule=module, ckpt_path=checkpoint, return_predictions=False, weights_only=True)
    del task, trainer
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _add(sums: Sequence[_Sum], member: int, prediction: dict[str, Any]) -> None:
    sums[prediction["index"]].add(member, prediction)


class _Sum:
    """What the members said of a case so far, in files.

    Args:
        folder: Folder of the files.
        members: Number of members.
    """

    def __init__(self, folder: Path, members: int) -> None:
        self.folder = folder
        self.members = members
        self.affine: Array = np.eye(4)

    def add(self, member: int, prediction: dict[str, Any]) -> None:
        """Add what one more member predicted."""
        probabilities, label_map = prediction["probabilities"], prediction["label_map"]
        if member == 0:
            self.folder.mkdir(parents=True)
            self.affine = np.asarray(prediction["affine"])
            np.save(self.folder / "sum.npy", probabilities.astype(np.float32))
            shape = (self.members, *label_map.shape)
            np.lib.format.open_memmap(self.folder / "maps.npy", "w+", label_map.dtype, shape)
        else:
            total = np.load(self.folder / "sum.npy", mmap_mode="r+")
            total += probabilities
        np.load(self.folder / "maps.npy", mmap_mode="r+")[member] = label_map

    def opinions(self) -> Opinions:
        """Return what all members said."""
        mean = np.load(self.folder / "sum.npy")
        mean /= np.float32(self.members)
        return Opinions(mean, np.load(self.folder / "maps.npy", mmap_mode="r"), self.affine)

    def remove(self) -> None:
        """Free the disk."""
        shutil.rmtree(self.folder)
