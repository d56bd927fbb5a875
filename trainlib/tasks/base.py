"""What all tasks share: network, loss, optimizer, logging and the continuation of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch.optim.lr_scheduler import ReduceLROnPlateau

import trainlib
from trainlib.build.components import (
    Horizon,
    build_inferer,
    build_loss,
    build_model,
    build_optimizer,
    build_scheduler,
)
from trainlib.config.schema import Config
from trainlib.processes import interleaved, rank, size
from trainlib.seeding import derive_seed, seed_all
from trainlib.tasks.batch import Batch, Geometry
from trainlib.tasks.continuation import drop_other_kinds, keep_loss, keep_settings, kind_of, settings_of
from trainlib.tasks.failures import component, named, shape_of
from trainlib.tasks.guard import LossGuard
from trainlib.tasks.outputs import OutputWatch
from trainlib.tasks.schedule import epochs_between_steps, follow_metric, try_schedule
from trainlib.tasks.sharded import whole_network
from trainlib.tasks.trial import try_window


class BaseTask(LightningModule):
    """Base of the tasks.

    Args:
        config: The config; everything is built from it in `configure_model`.
        geometry: The way back to the geometry of the files; needed for test and prediction.
        keep_probabilities: Whether predictions carry the probabilities of all classes.
    """

    output_meaning: str
    """What the logits must be, for the message on a network that gives something else."""
    network: torch.nn.Module
    loss: Callable[..., torch.Tensor]

    def __init__(self, config: Config, geometry: Geometry | None = None, *, keep_probabilities: bool = False) -> None:
        super().__init__()
        self.config = config
        self.geometry = geometry
        self.keep_probabilities = keep_probabilities
        self.guard = LossGuard(config)
        self.outputs = OutputWatch()
        self._loaded: dict[str, Any] | None = None
        self._groups: list[dict[str, Any]] = []
        self._valid_losses: list[tuple[float, int]] = []

    def configure_model(self) -> None:
        """Build network, loss and inferer, once; the initial weights follow from the seed alone."""
        if "network" in self._modules:
            return
        seed_all(self.config.seed)
        self.network = build_model(self.config)
        self.loss = build_loss(self.config)
        self.inferer = build_inferer(self.config)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the logits of one window."""
        raise NotImplementedError

    def _empty_target(self) -> torch.Tensor:
        """Return a target for one window, of which all is the first class."""
        raise NotImplementedError

    def _loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Call the loss with the target in the form that it wants."""
        raise NotImplementedError

    def on_fit_start(self) -> None:
        """Tell before the first epoch that network, inferer and loss do not fit the window, or each other."""
        with whole_network(self.trainer.strategy.model):
            try_window(self, self._empty_target())

    def configure_optimizers(self) -> Any:
        """Build the optimizer and, where the config has one, the learning-rate schedule."""
        optimizer = build_optimizer(self.config, self.network.parameters())
        self._groups = settings_of(optimizer)
        schedule = build_scheduler(self.config, optimizer, self.horizon)
        if schedule is None:
            return optimizer
        try_schedule(schedule["scheduler"], self.config, self.horizon)
        if isinstance(schedule["scheduler"], ReduceLROnPlateau):
            schedule["frequency"] = epochs_between_steps(self.config)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a schedule, but for one that follows a metric: that was done before the checkpoint was written."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    @property
    def horizon(self) -> Horizon:
        """How long the training lasts."""
        return Horizon(self.trainer.max_epochs or 1, int(self.trainer.estimated_stepping_batches))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, classes, ...), of preprocessed images of shape (batch, channels, ...)."""
        logits: torch.Tensor = self.network(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor | None:
        """Return the loss of a batch; None, of which nothing is learned, where it is not finite and may be skipped."""
        self.guard.prepare(self.network)
        with named(batch):
            loss: torch.Tensor = self._shared_step(batch, "train")["loss"]
        if not self.guard.accepts(loss, batch, self):
            return None
        self.log_loss("train", loss, len(batch["image"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Return the loss and the scores of whole cases."""
        return self._evaluate(batch, "valid")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Return the scores and the predictions of whole cases."""
        return self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Return the predictions of whole cases."""
        return self._evaluate(batch, "predict")

    def _evaluate(self, batch: Batch, stage: str) -> dict[str, Any]:
        """Do nothing for a batch of no case, with which a process waits for the others."""
        if not batch["case"]:
            return {"rows": [], "label_maps": [], "predictions": []}
        with named(batch):
            return self._shared_step(batch, stage)

    def logits_of(self, batch: Batch, stage: str, network: Callable[..., Any]) -> torch.Tensor:
        """Return the logits of a batch: of windows from the network itself, of whole cases through the inferer."""
        image = batch["image"]
        with component("model" if stage == "train" else "inferer", self.config, f"images of {shape_of(image)}"):
            logits: torch.Tensor = self(image) if stage == "train" else self.inferer(image, network)
        if stage != "train":
            self.outputs.look(logits, batch)
        return logits

    def loss_of(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        with component("loss", self.config, f"logits of {shape_of(logits)}"):
            return self._loss(logits, target)

    def _shared_step(self, batch: Batch, stage: str) -> dict[str, Any]:
        raise NotImplementedError

    def log_loss(self, stage: str, loss: torch.Tensor, cases: int) -> None:
        """Log the loss of a batch as part of the mean over an epoch; callbacks write it to tables and TensorBoard."""
        if stage == "valid":  # not all processes have equally many cases
            self._valid_losses.append((float(loss), cases))
            return
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=cases, logger=False, sync_dist=True)

    def log_valid_loss(self) -> None:
        """Log the mean loss of the validation cases."""
        losses, self._valid_losses = interleaved(self._valid_losses), []
        cases = sum(count for _, count in losses)
        mean = math.fsum(loss * count for loss, count in losses) / cases if cases else math.nan
        self.log("valid/loss", mean, logger=False)

    def on_train_epoch_start(self) -> None:
        """Seed dropout and its kin, so that an epoch does not depend on how many ran before it."""
        own = [rank()] if rank() else []  # so that each process drops something else
        seed_all(derive_seed(self.config.seed, self.current_epoch, *own))
        self.trainer.callback_metrics.pop("train/loss", None)  # Lightning keeps what an epoch may not have

    def on_train_epoch_end(self) -> None:
        """Let no checkpoint be written of weights that are of no use, nor one without the schedule's last step."""
        self.guard.check_weights(self)
        self.guard.check_outputs(self)
        if not self.guard.end_epoch():  # there is no mean over no batches, and it may be monitored
            self.log_loss("train", torch.tensor(float("nan")), 1)
        follow_metric(self)

    def on_validation_start(self) -> None:
        """Do not validate weights that are of no use."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.guard.check_weights(self)

    def on_validation_end(self) -> None:
        """Tell the cases that the network could not handle."""
        self.outputs.tell()

    def on_test_end(self) -> None:
        """Tell the cases that the network could not handle."""
        self.outputs.tell()

    def on_predict_end(self) -> None:
        """Tell the cases that the network could not handle."""
        self.outputs.tell()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what tells on loading whether something has changed: config, kind of optimizer, planned length."""
        checkpoint["trainlib"] = {
            "version": trainlib.__version__,
            "config": self.config.model_dump(mode="json"),
            "optimizer": kind_of(self.trainer.optimizers[0]),
            "groups": self._groups,
            "scored_by": self.config.scored_by,
            "horizon": [self.horizon.epochs, self.horizon.steps],
            "nonfinite": self.guard.skipped,
            "processes": size(),
        }

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
