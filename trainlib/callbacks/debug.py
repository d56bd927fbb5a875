"""The checks of `trainlib fit --debug`: made before the first step, told at the end."""

from __future__ import annotations

import copy
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import TracebackType
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from torch import nn

from trainlib.build.components import build_optimizer
from trainlib.build.patches import patched
from trainlib.build.roles import IMAGE, LABEL
from trainlib.callbacks.harmless import harmless
from trainlib.config.schema import Config
from trainlib.data.dataset import CaseFailure
from trainlib.debug.finding import Finding, as_lines, made, ranked, summary
from trainlib.debug.practice import Practice
from trainlib.debug.sheets import Shown, draw_sheet
from trainlib.debug.statistics import overview, table
from trainlib.debug.survey import Survey
from trainlib.debug.trial import Rates
from trainlib.folders.run import RunFolder
from trainlib.system.files import atomic_path, write_table

log = logging.getLogger(__name__)

_SHEETS = 2  # batches that are drawn


class DebugChecks(Callback):
    """Looks at data, network, loss and optimizer for common mistakes, and writes the folder ``debug``.

    Args:
        config: The config.
        folder: The run folder.
    """

    def __init__(self, config: Config, folder: RunFolder) -> None:
        self.config = config
        self.folder = folder
        self.findings: list[Finding] = []

    def __enter__(self) -> DebugChecks:
        """Begin nothing; what counts is the end."""
        return self

    @harmless
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make all checks on the network's initial weights; the training goes on as if they had not been made."""
        if not trainer.is_global_zero:
            return
        log.info("Checking data, loss and network.")
        with _kept_random_states():
            survey = Survey(self.config)
            batches = self._look_at_data(trainer.datamodule, survey)
            if batches is None:
                return  # the training itself is about to say which case failed, and why
            self._draw(survey, [len(batch[LABEL]) for batch in batches[:_SHEETS]])
            write_table(self.folder.debug / "statistics.csv", rows := table(survey.rows), rows[0])
            practice = self._practice(trainer, pl_module, batches[0])
            self.findings = made([*survey.checks(), *practice.checks()])
        rows = [asdict(finding) for finding in ranked(self.findings)]
        write_table(self.folder.debug / "findings.csv", rows, ["check", "level", "text"])
        for line in ("Training cases and augmented windows:", *overview(survey.rows)):
            log.info("%s", line)

    def _look_at_data(self, module: Any, survey: Survey) -> list[dict[str, Any]] | None:
        """Make the batches of the first epoch; None where a case fails."""
        loader = module.train_dataloader()
        dataset, draws = loader.dataset, list(loader.sampler)
        for case in dataset.cases:
            survey.add_case(case, dataset.cache.get(case))
        batches: list[dict[str, Any]] = []
        for start in range(0, len(draws), loader.batch_size):
            results = [dataset[draw] for draw in draws[start : start + loader.batch_size]]
            batch = loader.collate_fn(results)
            if isinstance(batch, CaseFailure):
                return None
            for item in (item for items in results for item in items):
                survey.add_window(item)
            batches.append(batch)
        return batches

    def _draw(self, survey: Survey, sizes: Sequence[int]) -> None:
        """Draw the cases as they come out of the base transforms, and the first batches."""
        self._write_sheet("cases", "Cases after transforms.base", survey.cases, survey.channels)
        start = 0
        for number, size in enumerate(sizes):
            windows = survey.windows[start : start + size]
            title = f"Batch {number} of the first epoch, after transforms.train"
            self._write_sheet(f"batch_{number}", title, windows, survey.channels)
            start += size

    def _write_sheet(self, name: str, title: str, items: Sequence[Shown], channels: Sequence[str]) -> None:
        with atomic_path(self.folder.debug / f"{name}.png") as path:
            draw_sheet(items, title, channels, self.config.data.classes).save(path)

    def _practice(self, trainer: Trainer, pl_module: LightningModule, batch: dict[str, Any]) -> Practice:
        """Collect what the training is about to use; in full precision, for no loss is scaled here."""
        rates, rate = self._rates(trainer)
        return Practice(
            network=copy.deepcopy(pl_module.network).float(),
            loss=pl_module._loss,
            optimizer=lambda parameters: build_optimizer(self.config, parameters),
            rates=rates,
            rate=rate,
            image=batch[IMAGE].to(pl_module.device),
            label=batch[LABEL].to(pl_module.device),
            classes=self.config.data.classes,
            clip=_clipping(self.config.trainer),
        )

    def _rates(self, trainer: Trainer) -> tuple[Rates, str]:
        """Find the learning rates of the first step and of the peak, and where the config says the latter."""
        config, groups = self.config, trainer.optimizers[0].param_groups
        schedulers = [entry.scheduler for entry in trainer.lr_scheduler_configs]
        peaks = next((s.max_lrs for s in schedulers if hasattr(s, "max_lrs")), [0.0] * len(groups))
        highest = [max(float(group.get(name, 0.0)) for name in ("lr", "initial_lr", "max_lr")) for group in groups]
        rates = Rates(tuple(float(group["lr"]) for group in groups), tuple(map(max, highest, map(float, peaks))))
        key = f"optimizer.{config.optimizer.name}.lr"
        if config.scheduler is not None and "max_lr" in config.scheduler.kwargs:
            key = f"scheduler.{config.scheduler.name}.max_lr"
        elif config.patch.optimizer and patched(config.patch.optimizer, "get_optimizer"):
            key = f"the learning rate in {config.patch.optimizer}"
        return rates, f"{key} (now {max(rates.highest):g})"

    @harmless
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell what was found, however the run ended: it may be the reason."""
        if not self.findings:
            return
        log.info("What the checks found:")
        for line in as_lines(self.findings):
            log.info("%s", line)
        log.info("%s Look at the pictures too: %s", summary(self.findings), self.folder.debug)


def _clipping(settings: dict[str, Any]) -> Callable[[Sequence[nn.Parameter]], object] | None:
    """Return what clips gradients as the Trainer does, None where it does not."""
    value = settings.get("gradient_clip_val")
    if not value:
        return None
    if settings.get("gradient_clip_algorithm") == "value":
        return lambda parameters: nn.utils.clip_grad_value_(parameters, value)
    return lambda parameters: nn.utils.clip_grad_norm_(parameters, value)


@contextmanager
def _kept_random_states() -> Iterator[None]:
    """Restore the random states of Python, NumPy and torch on all devices after the block."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
