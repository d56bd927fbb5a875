"""From a prepared case to an item, and from items to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from monai.transforms import Compose
from torch.utils.data import Dataset, default_collate, get_worker_info

from trainlib.build.roles import IMAGE, LABEL, TARGET
from trainlib.config.schema import Config
from trainlib.data.augmenting import PENDING, DeviceAugmentation, Pending
from trainlib.data.cache import NoCache
from trainlib.data.failures import explain_failure, wrong_result
from trainlib.data.labels import read_label
from trainlib.data.lean.table import lean
from trainlib.data.plain import plain_tensor, untracked
from trainlib.data.positions import insert_positions, needs_wide_label
from trainlib.data.prepare import Prepared
from trainlib.data.reseeding import Reseeder
from trainlib.data.sampling import Draw
from trainlib.data.splits import Case
from trainlib.errors import DataError, DiskFullError
from trainlib.seeding import derive_seed, isolated_random_state

Item = dict[str, Any]


@dataclass(frozen=True)
class CaseFailure:
    """A case that could not be made into an item.

    An exception would reach the training process with the worker's traceback in place of its message.
    """

    sentence: str
    disk_full: bool = False

    @classmethod
    def of(cls, error: DataError | DiskFullError) -> CaseFailure:
        """Make it of an error that speaks for itself."""
        return cls(str(error), isinstance(error, DiskFullError))

    def error(self) -> DataError | DiskFullError:
        """Return the error to raise in the training process."""
        return DiskFullError(self.sentence) if self.disk_full else DataError(self.sentence)


class TrainDataset(Dataset[Any]):
    """Cases with augmentation; the draw decides every random number, together with the seed.

    Args:
        cases: The cases.
        cache: Where prepared cases come from.
        augment: The training pipeline.
        config: The config.

    Attributes:
        on_device: What is going to finish the batches on the device that trains; None where they are finished here.
    """

    def __init__(self, cases: Sequence[Case], cache: NoCache, augment: Compose, config: Config) -> None:
        self.cases = cases
        self.cache = cache
        self.augment = copy(augment)  # whose list of transforms is changed
        self.config = config
        self._positions = insert_positions(self.augment)
        self._wide_label = needs_wide_label(self.augment)
        self._needed = (IMAGE, LABEL, "positions") if self._positions else (IMAGE, LABEL)
        self._seed = Reseeder(self.augment)
        self._lean = lean(self.augment)
        self.on_device: DeviceAugmentation | None = None

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, draw: Draw) -> list[Item] | CaseFailure:
        """Return the crops of a case, each with plain tensors ``image`` and ``label``, or ``target``."""
        case = self.cases[draw[1]]
        seed = derive_seed(self.config.seed, *draw)
        try:
            with isolated_random_state(seed):
                prepared = self.cache.get(case, self._needed)
                self._seed(seed)
                for step in self._positions:
                    step.tell(prepared)
                data = {key: prepared[key] for key in (IMAGE, LABEL) if key in prepared}
                if self._wide_label and LABEL in data:
                    data[LABEL] = data[LABEL].to(torch.int16)
                with untracked():
                    crops = self._lean(data, end=self.on_device.start if self.on_device else None)
        except (DataError, DiskFullError) as error:
            return CaseFailure.of(error)
        except Exception as error:
            return CaseFailure(f"{case}: {explain_failure(error, self.config, 'train')}")
        if wrong := wrong_result(crops, "train", with_label=LABEL in prepared):
            return CaseFailure(f"{case}: {wrong}")
        label_type = prepared[LABEL].dtype if LABEL in prepared else None
        crops = crops if isinstance(crops, list) else [crops]
        items = [self._item(case, crop, Pending(seed, number, label_type)) for number, crop in enumerate(crops)]
        for item in items:
            if LABEL in item and item[IMAGE].shape[1:] != item[LABEL].shape[1:]:
                return CaseFailure(
                    f"{case}: image and label differ in shape after transforms.train: {tuple(item[IMAGE].shape[1:])} "
                    f"and {tuple(item[LABEL].shape[1:])}. What crops or resizes one must do it to both."
                )
        return items

    def _item(self, case: Case, crop: Mapping[str, torch.Tensor], pending: Pending) -> Item:
        """Make an item of a crop: as the network gets it, or with what is needed to finish it on the device."""
        item: Item = {key: plain_tensor(crop[key]) for key in (IMAGE, LABEL) if key in crop}
        item |= _names(case) | _target(case)
        item[IMAGE] = item[IMAGE].float()
        if LABEL in item:  # some transforms make a float of the label, and only when they are drawn
            item[LABEL] = item[LABEL].float() if self.on_device else item[LABEL].to(pending.label_type)
        return item | {PENDING: pending} if self.on_device else item


def _names(case: Case) -> Item:
    """Return what a case is called: its name, and as `where` its row in the CSV with its file."""
    return {"case": case.name, "where": str(case)}


def _target(case: Case) -> Item:
    """Return the class of a case, or 0 or 1 for each class, as ``target``; nothing where a case has none."""
    if case.target is None:
        return {}
    values = torch.tensor(case.target)
    return {TARGET: values[0] if len(values) == 1 else values}


class EvaluationDataset(Dataset[Any]):
    """Whole cases with what is needed to score them and to find the way back to the original geometry.

    Args:
        cases: The cases.
        cache: Where prepared cases come from.
        config: The config.
        original_label: Whether to add the label as it is in its file, as ``original_label`` of shape (1, ...),
            with its ``original_affine``.
    """

    def __init__(self, cases: Sequence[Case], cache: NoCache, config: Config, *, original_label: bool = False) -> None:
        self.cases = cases
        self.cache = cache
        self.config = config
        self.original_label = original_label

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, draw: Draw | None) -> list[Item] | CaseFailure:
        """Return the one item of a case; none where a process only waits for the others."""
        if draw is None:
            return []
        case = self.cases[draw[1]]
        try:
            item: Prepared = {**self.cache.get(case), **_target(case), **_names(case), "index": draw[1]}
            item.pop("positions", None)  # which only crops ask for
            if self.original_label and case.label is not None:
                label, affine = read_label(case.label, self.config)
                item |= {"original_label": label, "original_affine": affine}
        except DiskFullError as error:
            return CaseFailure.of(error)
        except DataError as error:
            text = str(error)
            return CaseFailure(text if text.startswith(str(case)) else f"{case}: {text}")
        return [item]


def collate(results: Sequence[list[Item] | CaseFailure]) -> Item | CaseFailure:
    """Stack items into a batch; what is not a tensor stays a list with an entry for each item.

    Args:
        results: What the data set returned for the cases of a batch.

    Returns:
        The batch, or the first failure; a batch of no case has an empty list ``case`` and ``index`` alone.
    """
    items: list[Item] = []
    for result in results:
        if isinstance(result, CaseFailure):
            return result
        items += result
    if not items:
        return {"case": [], "index": []}
    shapes = {tuple(item[IMAGE].shape) for item in items}
    if len(shapes) > 1:
        examples = ", ".join(f"{item['where']} {tuple(item[IMAGE].shape)}" for item in items[:4])
        return CaseFailure(
            f"The cases of a batch differ in shape: {examples}. End transforms.train with a crop or pad to one "
            "size, such as SpatialPadd and RandSpatialCropd, or set data.batch_size to 1."
        )
    return {
        key: default_collate(values) if isinstance(values[0], torch.Tensor) else values
        for key in items[0]
        if (values := [item[key] for item in items])
    }


class FillDataset(Dataset[Any]):
    """Prepares cases ahead of training; an item is what the cache is to keep, or a failure.

    Args:
        cases: Cases that the cache does not have.
        cache: The cache to fill.
    """

    def __init__(self, cases: Sequence[Case], cache: NoCache) -> None:
        self.cases = cases
        self.cache = cache

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Prepared | CaseFailure | None:
        """Prepare one case."""
        try:
            prepared = self.cache.fill(self.cases[index])
        except (DataError, DiskFullError) as error:
            return CaseFailure.of(error)
        if prepared is not None and get_worker_info() is not None:
            # On its way out of the worker it would be shared anyway, but a lack of room be told to nobody.
            for value in prepared.values():
                if isinstance(value, torch.Tensor):
                    value.share_memory_()
        return prepared
