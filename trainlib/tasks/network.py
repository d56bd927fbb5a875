"""The steps of a task: what network, inferer and loss do with a batch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from lightning import LightningModule

from trainlib.build.components import build_inferer, build_loss, build_model
from trainlib.build.freezing import freeze, freeze_mistakes
from trainlib.build.resolve import ComponentError
from trainlib.config.schema import Config
from trainlib.processes import interleaved
from trainlib.seeding import seed_all
from trainlib.tasks.batch import Batch, Geometry
from trainlib.tasks.failures import component, named, shape_of
from trainlib.tasks.layout import by_channel, by_voxel, channels_last
from trainlib.tasks.outputs import OutputWatch, is_finite
from trainlib.tasks.precise import all_digits, in_single
from trainlib.tasks.stitching import Slab, slabs


class NetworkModule(LightningModule):
    """Calls network, inferer and loss, and evaluates whole cases.

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
        self.outputs = OutputWatch()
        self._frozen: list[torch.nn.Module] = []
        self._valid_losses: list[tuple[float, int]] = []
        self._worked: set[tuple[str, str]] = set()

    def configure_model(self) -> None:
        """Build network, loss and inferer, once; the initial weights follow from the seed alone."""
        if "network" in self._modules:
            return
        seed_all(self.config.seed)
        self.network = build_model(self.config)
        if self.config.model.channels_last:
            channels_last(self.network)
        if mistakes := freeze_mistakes(self.config, self.network):
            raise ComponentError(mistakes)
        self._frozen = freeze(self.network, self.config.model.freeze)
        if self._frozen:  # Lightning takes them for an oversight
            warnings.filterwarnings("ignore", message="Found .* in eval mode at the start of training.*")
        self.loss = build_loss(self.config)
        self.inferer = build_inferer(self.config)

    def train(self, mode: bool = True) -> Self:
        """Change to training or evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        for module in self._frozen if mode else ():
            module.eval()
        return self

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

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, classes, ...), of preprocessed images of shape (batch, channels, ...)."""
        logits: torch.Tensor = self.called(image)
        return logits

    def called(self, image: torch.Tensor) -> Any:
        """Call the network itself for its logits; what it returns in their place, it returns."""
        if not self.config.model.channels_last:
            return in_single(self._logits(self.network(image)))
        return by_channel(in_single(self._logits(self.network(by_voxel(image)))))

    def _logits(self, output: Any) -> Any:
        """Find the logits in what the network has returned."""
        return output

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
        section, made = ("model", [self.network]) if stage == "train" else ("inferer", [self.inferer, self.network])
        with component(section, self.config, f"images of {shape_of(image)}", made, self._worked):
            logits: torch.Tensor = self(image) if stage == "train" else self.inferer(image, network)
        if stage != "train":
            self.outputs.look(logits, batch)
        return logits

    def slabs_of(self, batch: Batch) -> Iterator[Slab]:
        """Yield the logits of whole cases through the inferer, slab by slab."""
        image = batch["image"]
        finite = [True] * len(image)
        made = [self.inferer, self.network]
        with component("inferer", self.config, f"images of {shape_of(image)}", made, self._worked):
            for slab in slabs(self.inferer, image, self.called):
                finite[slab.item] &= is_finite(slab.logits)
                yield slab
        self.outputs.note(finite, batch)

    def loss_of(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        subject = f"logits of {shape_of(logits)}"
        with component("loss", self.config, subject, [self.loss], self._worked), all_digits(logits):
            return self._loss(logits, target)

    def _shared_step(self, batch: Batch, stage: str) -> dict[str, Any]:
        raise NotImplementedError

    def note_valid_loss(self, loss: torch.Tensor, cases: int) -> None:
        """Note the loss of a batch as part of the mean over the validation."""
        self._valid_losses.append((float(loss), cases))

    def log_valid_loss(self) -> None:
        """Log the mean loss of the validation cases, of which not all processes have equally many."""
        losses, self._valid_losses = interleaved(self._valid_losses), []
        cases = sum(count for _, count in losses)
        mean = math.fsum(loss * count for loss, count in losses) / cases if cases else math.nan
        self.log("valid/loss", mean, logger=False)

    def on_test_end(self) -> None:
        """Tell the cases that the network could not handle."""
        self.outputs.tell()

    on_predict_end = on_test_end
