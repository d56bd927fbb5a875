"""What all trainings share: optimizer, schedule, seeds, checkpoints and the continuation of a run."""

from __future__ import annotations

import sys
from typing import Any

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from trainlib.build.components import Horizon, build_optimizer, build_scheduler
from trainlib.config.schema import Config
from trainlib.processes import rank
from trainlib.seeding import derive_seed, seed_all
from trainlib.tasks.batch import Batch, Geometry
from trainlib.tasks.compiling import compile_network
from trainlib.tasks.continuation import description, drop_other_kinds, keep_loss, keep_settings, settings_of
from trainlib.tasks.failures import named
from trainlib.tasks.guard import LossGuard
from trainlib.tasks.losses import MeanLoss
from trainlib.tasks.network import NetworkModule
from trainlib.tasks.schedule import follow_metric, try_schedule
from trainlib.tasks.sharded import whole_network
from trainlib.tasks.trial import try_window


class BaseTask(NetworkModule):
    """Base of the tasks: what a training needs beside the steps.

    Attributes:
        guard: Looks at the loss of each batch.
        train_loss: The mean loss of this epoch's batches so far.
        groups: Settings of the optimizer's groups as they were built.
        validated_in: The epoch of the last validation, -1 before.
    """

    def __init__(self, config: Config, geometry: Geometry | None = None, *, keep_probabilities: bool = False) -> None:
        super().__init__(config, geometry, keep_probabilities=keep_probabilities)
        self.guard = LossGuard(config)
        self.train_loss = MeanLoss()
        self.groups: list[dict[str, Any]] = []
        self.validated_in = -1
        self._loaded: dict[str, Any] | None = None

    def on_fit_start(self) -> None:
        """Tell before the first epoch that network, inferer and loss do not fit the window, or each other.

        The network is compiled afterwards, for the window of the trial is no batch. Evaluations of their own do
        without: their machine may have no compiler.
        """
        with whole_network(self.trainer.strategy.model):
            try_window(self, self._empty_target())
        if (settings := self.config.model.compile) is not None:
            compile_network(self.network, settings, self.device)

    def configure_optimizers(self) -> Any:
        """Build the optimizer and, where the config has one, the learning-rate schedule."""
        optimizer = build_optimizer(self.config, self.network.parameters())
        self.groups = settings_of(optimizer)
        schedule = build_scheduler(self.config, optimizer, self.horizon)
        if schedule is None:
            return optimizer
        try_schedule(schedule["scheduler"], self.config, self.horizon)
        if isinstance(schedule["scheduler"], ReduceLROnPlateau):
            schedule["frequency"] = sys.maxsize  # `follow_metric` steps it in place of Lightning
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the gradients; those of a network that is spread over the processes by the norm of all its parts."""
        whole = self.trainer.strategy.model
        if gradient_clip_val and gradient_clip_algorithm in (None, "norm") and hasattr(whole, "clip_grad_norm_"):
            whole.clip_grad_norm_(gradient_clip_val)  # which Lightning refuses
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    @property
    def horizon(self) -> Horizon:
        """How long the training lasts."""
        return Horizon(self.trainer.max_epochs or 1, int(self.trainer.estimated_stepping_batches))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor | None:
        """Return the loss of a batch; None, of which nothing is learned, where it is not finite and may be skipped."""
        self.guard.prepare(self.network)
        with named(batch):
            loss: torch.Tensor = self._shared_step(batch, "train")["loss"]
        value = float(loss.detach().sum())  # the one time in a step that a GPU is waited for
        if not self.guard.accepts(value, batch, self):
            return None
        self.train_loss.add(value, len(batch["image"]))
        return loss

    def log_train_loss(self) -> None:
        """Log the mean loss of the epoch's batches, over all processes; callbacks write it down."""
        mean = self.train_loss
        self.log("train/loss", mean.value, batch_size=max(mean.cases, 1), logger=False, sync_dist=True)

    def on_train_epoch_start(self) -> None:
        """Seed dropout and its kin, so that an epoch does not depend on how many ran before it."""
        own = [rank()] if rank() else []  # so that each process drops something else
        seed_all(derive_seed(self.config.seed, self.current_epoch, *own))
        self.train_loss = MeanLoss()
        self.trainer.callback_metrics.pop("train/loss", None)  # Lightning keeps what an epoch may not have

    def on_train_epoch_end(self) -> None:
        """Let no checkpoint be written of weights that are of no use, nor one without the schedule's last step."""
        self.guard.check_weights(self)
        self.guard.check_outputs(self)
        if "train/loss" not in self.trainer.callback_metrics:  # nan if there was no batch, for it may be monitored
            self.log_train_loss()
        follow_metric(self)

    def on_validation_start(self) -> None:
        """Do not validate weights that are of no use."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.guard.check_weights(self)

    def on_validation_end(self) -> None:
        """Tell the cases that the network could not handle, and note the epoch."""
        self.outputs.tell()
        self.validated_in = self.current_epoch

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what tells on loading whether something has changed: config, kind of optimizer, planned length."""
        checkpoint["trainlib"] = description(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note what the checkpoint was trained with; keep the config's own loss, optimizer and schedule."""
        self._loaded = checkpoint.get("trainlib")
        keep_loss(self, checkpoint)
        if self._loaded is not None and self.trainer.state.fn == TrainerFn.FITTING:
            drop_other_kinds(self, checkpoint)
            self.guard.skipped = self._loaded.get("nonfinite", 0)

    def on_train_start(self) -> None:
        """Let the config as it is now, not the checkpoint, decide learning rate and schedule."""
        if self._loaded is not None:
            keep_settings(self, self._loaded)
