"""The data module: from the CSVs of a config to the loaders of Lightning."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE, LABEL, TARGET
from trainlib.config.schema import Config
from trainlib.data.augmenting import PENDING, device_augmentation
from trainlib.data.cache import NoCache, make_cache
from trainlib.data.dataset import CaseFailure, EvaluationDataset, TrainDataset, collate
from trainlib.data.filling import fill
from trainlib.data.prepare import Preparation
from trainlib.data.sampling import EpochSampler, class_weights
from trainlib.data.splits import SPLITS_OF, Case, read_split
from trainlib.data.workers import choose_workers, prepare_open_files, start_worker
from trainlib.processes import decided, local_size, rank, size

log = logging.getLogger(__name__)


class CSVDataModule(LightningDataModule):
    """Loads the cases that the CSVs list.

    Validation gives whole preprocessed cases with preprocessed labels; test gives whole preprocessed images with
    the label as it is in its file; prediction needs no label.

    Args:
        config: The config.
        first_epoch: The epoch that training begins with; workers fetch its first cases before Lightning has
            restored from a checkpoint which epoch that is.
    """

    def __init__(self, config: Config, first_epoch: int = 0) -> None:
        super().__init__()
        self.config = config
        self.first_epoch = first_epoch
        self.cases: dict[str, list[Case]] = {}
        self._datasets: dict[str, Dataset[Any]] = {}
        self._caches: dict[tuple[bool, str], NoCache] = {}
        self._open_files = 0

    def setup(self, stage: str) -> None:
        """Read the CSVs of a stage (``fit``, ``validate``, ``test`` or ``predict``) and prepare its cases.

        Before a training the test cases are prepared as well: what is wrong with them must not be found at its end.
        With `data.prepare: on_demand` a case is prepared when a loader comes to it.

        Raises:
            DataError: A CSV, a file or a label cannot be used; all of them are named.
        """
        stage = str(getattr(stage, "value", stage))  # Lightning passes an enumeration
        splits = [split for split in SPLITS_OF[stage] if split not in self._datasets]
        if not splits:
            return
        self._open_files = prepare_open_files()
        for split in splits:
            self.cases[split] = self._limited(read_split(self.config, split), split)
        caches = {split: self._cache(split) for split in splits}
        for cache in dict.fromkeys(caches.values()):
            if self.config.data.prepare == "on_demand":
                decided(cache.sweep)
            elif stage == "fit" or cache.keeps:
                self._fill(cache, [split for split in splits if caches[split] is cache])
        for split in splits:
            self._datasets[split] = self._dataset(split, caches[split])

    def _limited(self, cases: list[Case], split: str) -> list[Case]:
        """Leave out what `data.limit_cases` says; whoever names cases to predict wants them all."""
        most = self.config.data.limit_cases
        if most is None or split == "predict" or len(cases) <= most:
            return cases
        log.info("data.limit_cases: the first %d of %d cases of %s are used.", most, len(cases), cases[0].csv)
        return cases[:most]

    def _cache(self, split: str) -> NoCache:
        """Make the cache of a split, once; cases to predict come only once and are not kept."""
        with_label = split in ("train", "valid") and self.config.task == "segmentation"
        kind = "none" if split == "predict" else self.config.data.cache
        if (with_label, kind) not in self._caches:
            preparation = Preparation(self.config, with_label=with_label)
            self._caches[with_label, kind] = make_cache(preparation, kind, self.config.cache_dir)
        return self._caches[with_label, kind]

    def _dataset(self, split: str, cache: NoCache) -> Dataset[Any]:
        cases = self.cases[split]
        if split == "train":
            with_label = self.config.task == "segmentation"
            augment = build_pipeline(self.config, "train", with_label=with_label)
            return TrainDataset(cases, cache, augment, self.config)
        return EvaluationDataset(cases, cache, self.config, original_label=split == "test")

    def _fill(self, cache: NoCache, splits: Sequence[str]) -> None:
        cases = [case for split in splits for case in self.cases[split]]
        fill(cache, cases, self._used_here(splits), self._workers(cases))

    def _used_here(self, splits: Sequence[str]) -> list[int]:
        """Number the cases of some splits, and return those that this process may get: of an evaluation its share."""
        used: list[int] = []
        before = 0
        for split in splits:
            count = len(self.cases[split])
            numbers = range(before, before + count)
            used += numbers if split == "train" else numbers[rank() :: size()]
            before += count
        return used

    def _workers(self, cases: Sequence[Case]) -> int:
        if self.config.data.num_workers != "auto":
            return self.config.data.num_workers
        # Compressed files grow about fourfold, to float32 another fourfold at most.
        largest = max((sum(path.stat().st_size for path in case.images) for case in cases), default=0)
        return choose_workers(math.ceil(len(cases) / size()), 16 * largest, self._open_files, local_size())

    def _loader(self, split: str, batch_size: int = 1) -> DataLoader[Any]:
        workers = self._workers(self.cases[split])
        weights = self._weights() if split == "train" and self.config.data.balance else None
        count, training = len(self.cases[split]), split == "train"
        sampler = EpochSampler(count, self.config.seed, training, weights, rank=rank(), size=size())
        sampler.set_epoch(self.first_epoch)
        return DataLoader(
            self._datasets[split],
            batch_size=batch_size,
            sampler=sampler,
            drop_last=training and self._leaves_one_over(sampler, batch_size),
            num_workers=workers,
            persistent_workers=workers > 0 and split in ("train", "valid"),
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=start_worker,
            # Its own generator: the loader's draws must not move the network's random state.
            generator=torch.Generator(),
        )

    def _weights(self) -> list[float]:
        """Weigh training cases so that all classes come equally often."""
        return class_weights([case.target[0] for case in self.cases["train"] if case.target is not None])

    def _leaves_one_over(self, sampler: EpochSampler, batch_size: int) -> bool:
        """Tell whether the last batch of an epoch has one case, of which batch normalisation can learn nothing."""
        count = len(sampler)
        alone = self.config.task == "classification" and count > batch_size > 1 and count % batch_size == 1
        if alone:
            log.info(
                "The %d training cases leave one over%s: each epoch does without %s.",
                sampler.count,
                " in each process" if size() > 1 else "",
                "one case" if size() == 1 else f"{size() - sampler.surplus} cases",
            )
        elif sampler.surplus:
            log.info(
                "The %d training cases do not divide among %d processes: %d of each epoch come once more.",
                sampler.count,
                size(),
                sampler.surplus,
            )
        return alone

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the shuffled, augmented training batches; only for a Trainer those that a device is to finish."""
        dataset = self._datasets["train"]
        if isinstance(dataset, TrainDataset):
            wanted = self.trainer is not None and self.config.transforms.augment_on == "device"
            dataset.on_device = device_augmentation(dataset.augment, self.config) if wanted else None
        return self._loader("train", self.config.data.batch_size)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation cases, one at a time."""
        return self._loader("valid")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the test cases, one at a time."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the cases to predict, one at a time."""
        return self._loader("predict")

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move image and label or target; what the base transforms noted is needed on the CPU."""
        moved = {key: batch[key].to(device, non_blocking=True) for key in (IMAGE, LABEL, TARGET) if key in batch}
        return {**batch, **moved}

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Finish the augmentation of a training batch on the device, where `transforms.augment_on` says so.

        Raises:
            DataError: A transform failed.
        """
        dataset = self._datasets.get("train")
        unfinished = PENDING in batch and isinstance(dataset, TrainDataset) and dataset.on_device
        return unfinished(batch) if unfinished else batch

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Raise here what went wrong while a worker made the batch.

        Raises:
            DataError: A case of the batch failed.
            DiskFullError: There is no room to keep a case of it.
        """
        if isinstance(batch, CaseFailure):
            raise batch.error()
        return batch
