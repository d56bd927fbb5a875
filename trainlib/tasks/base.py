"""What all tasks share: network, loss, optimizer, logging and the continuation of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from lightning import LightningModule
from lightning.pytorch.trainer.states import TrainerFn

import trainlib
from trainlib.build.components import (
    Horizon,
    build_inferer,
    build_loss,
    build_model,
    build_optimizer,
    build_scheduler,
)
from trainlib.build.patches import describe
from trainlib.build.resolve import ComponentError
from trainlib.config.schema import Config
from trainlib.processes import interleaved, rank, size
from trainlib.seeding import derive_seed, seed_all
from trainlib.tasks.continuation import drop_other_kinds, keep_loss, keep_settings, kind_of
from trainlib.tasks.sharded import whole_network

Batch = Mapping[str, Any]


class Geometry(Protocol):
    """The way from the preprocessed grid back to the files, for values of shape (channels, ...)."""

    def to_image(self, values: torch.Tensor, batch: Batch, item: int) -> Any:
        """Bring values to the grid of the image file."""

    def to_label(self, values: Any, batch: Batch, item: int) -> torch.Tensor | None:
        """Bring values from the grid of the image file to that of the label file; None where the two are one."""

    def spacing(self, batch: Batch, item: int) -> list[float]:
        """Return the voxel size of the label file in mm."""


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
        self._loaded: dict[str, Any] | None = None
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
        """Send one empty window through network, inferer and loss, so that a misfit is told before the first epoch.

        Raises:
            ComponentError: One of them cannot handle the window, or the output has another shape than it must.
        """
        config = self.config
        window = torch.zeros(1, config.in_channels, *config.roi_size, device=self.device)
        training = self.network.training
        self.network.eval()
        context = self.trainer.precision_plugin.forward_context()
        with whole_network(self.trainer.strategy.model), torch.no_grad(), torch.random.fork_rng(), context:
            logits = self._try("model", lambda: self(window))
            if (shape := tuple(getattr(logits, "shape", ()))) != self.output_shape:
                text = (
                    f"model: for an input of shape {tuple(window.shape)} the output has shape {shape}, expected "
                    f"{self.output_shape}: {self.output_meaning}"
                )
                raise ComponentError([(("model",), text)])
            self._try("inferer", lambda: self.inferer(window, self))
            self._try("loss", lambda: self._loss(logits, self._empty_target()))
        self.network.train(training)

    def _try(self, section: str, call: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Call a component; what it raises becomes a sentence that names its section."""
        try:
            return call()
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, ImportError) as error:
            window = (1, self.config.in_channels, *self.config.roi_size)
            text = f"{section}: fails on an image of shape {window}: {describe(error)}."
            raise ComponentError([((section,), text)]) from error

    def configure_optimizers(self) -> Any:
        """Build the optimizer and, where the config has one, the learning-rate schedule."""
        optimizer = build_optimizer(self.config, self.network.parameters())
        schedule = build_scheduler(self.config, optimizer, self.horizon)
        return {"optimizer": optimizer, "lr_scheduler": schedule} if schedule else optimizer

    @property
    def horizon(self) -> Horizon:
        """How long the training lasts."""
        return Horizon(self.trainer.max_epochs or 1, int(self.trainer.estimated_stepping_batches))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, classes, ...), of preprocessed images of shape (batch, channels, ...)."""
        logits: torch.Tensor = self.network(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss: torch.Tensor = self._shared_step(batch, "train")["loss"]
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
        return self._shared_step(batch, stage) if batch["case"] else {"rows": [], "label_maps": [], "predictions": []}

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

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what tells on loading whether something has changed: config, kind of optimizer, planned length."""
        checkpoint["trainlib"] = {
            "version": trainlib.__version__,
            "config": self.config.model_dump(mode="json"),
            "optimizer": kind_of(self.trainer.optimizers[0]),
            "horizon": [self.horizon.epochs, self.horizon.steps],
            "processes": size(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note what the checkpoint was trained with; keep the config's own loss, optimizer and schedule."""
        self._loaded = checkpoint.get("trainlib")
        keep_loss(self, checkpoint)
        if self._loaded is not None and self.trainer.state.fn == TrainerFn.FITTING:
            drop_other_kinds(self, checkpoint)

    def on_train_start(self) -> None:
        """Let the config as it is now, not the checkpoint, decide learning rate and schedule."""
        if self._loaded is not None:
            keep_settings(self, self._loaded)
