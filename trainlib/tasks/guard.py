"""What is done about a training loss that is not finite: the batch is skipped, or the training ends."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from trainlib.config.schema import Config
from trainlib.device import precision
from trainlib.errors import TrainlibError
from trainlib.processes import size
from trainlib.tasks.failures import cases_of, listed_cases

if TYPE_CHECKING:
    from trainlib.tasks.base import BaseTask

log = logging.getLogger(__name__)


class NonFiniteError(TrainlibError):
    """The training cannot go on, for its loss or its weights are no longer finite."""


class LossGuard:
    """Looks at the loss of each batch before anything is learned from it.

    Args:
        config: The config.

    Attributes:
        skipped: Batches that were skipped since the training began, over all its continuations.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.skipped = 0
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def prepare(self, network: torch.nn.Module) -> None:
        """Keep what a batch changes on its way through the network: the statistics of batch normalisation."""
        if self.config.trainer_guard.max_nonfinite:
            self._kept = [(buffer, buffer.clone()) for buffer in network.buffers()]

    def accepts(self, loss: float, batch: Mapping[str, Any], task: BaseTask) -> bool:
        """Tell whether the network may learn from a batch.

        Args:
            loss: Its loss.
            batch: The batch.
            task: The task that is trained.

        Returns:
            False where the loss is not finite; then the network is as it was before the batch.

        Raises:
            NonFiniteError: There were more such batches than `trainer_guard.max_nonfinite`, or the weights are not
                finite either.
        """
        if math.isfinite(loss):
            return True
        what = f"{_place(task)}: the loss is {loss:g} for {listed_cases(cases_of(batch))}."
        if not (faulty := faulty_images(batch)):
            self.check_weights(task, what)
        most = self.config.trainer_guard.max_nonfinite
        alone = size() == 1  # several processes make each step together
        if self.skipped >= most or not alone:
            count = "1 batch was" if self.skipped == 1 else f"{self.skipped} batches were"
            before = f"{count} skipped before (trainer_guard.max_nonfinite)." if most else ""
            before = before if alone or not most else "Of several processes none can skip a batch."
            raise NonFiniteError(_joined(what, before, faulty or _remedies(self.config), _continuation(task)))
        self.skipped += 1
        for buffer, value in self._kept:
            buffer.copy_(value)
        # Lightning takes a step that returns nothing for an oversight.
        warnings.filterwarnings("ignore", message=".*`training_step` returned `None`.*")
        log.warning("%s", _joined(what, f"The batch is skipped ({self.skipped} of {most}).", faulty))
        return False

    def check_weights(self, task: BaseTask, what: str = "") -> None:
        """Make sure that the weights are finite; nothing can be learned with others, nor is a checkpoint of any use.

        Args:
            task: The task that is trained.
            what: What was noticed before, with the place.

        Raises:
            NonFiniteError: They are not.
        """
        sums = [weight.detach().sum(dtype=torch.float32) for weight in task.network.parameters()]
        if not sums or bool(torch.isfinite(torch.stack(sums)).all()):
            return
        since = "An earlier step has made weights of the network nan or infinite."
        raise NonFiniteError(_joined(what or f"{_place(task)}:", since, _remedies(self.config), _continuation(task)))

    def check_outputs(self, task: BaseTask) -> None:
        """Make sure that the last validation had a finite output; weights without one are of no use either.

        Raises:
            NonFiniteError: It had none.
        """
        if task.outputs.diverged:
            what = f"{_place(task)}: the network gave no validation case a finite output."
            raise NonFiniteError(_joined(what, _remedies(self.config), _continuation(task)))


def faulty_images(batch: Mapping[str, Any]) -> str:
    """Say which images of a batch hold values that are not finite; nothing where all are."""
    counts: dict[str, int] = {}
    for where, image in zip(batch["where"], batch["image"], strict=True):
        if count := int((~torch.isfinite(image)).sum()):
            counts[where] = max(count, counts.get(where, 0))
    if not counts:
        return ""
    found = listed_cases(f"{where} with {count} voxel{'s' if count > 1 else ''}" for where, count in counts.items())
    return (
        "The image, not the training, is to blame: after the transforms it holds values that are not finite "
        f"({found}). Correct the file, leave its row out, or put SignalFillEmptyd, which replaces nan, behind "
        "LoadImaged; `trainlib check` finds such files."
    )


def _place(task: BaseTask) -> str:
    return f"epoch {task.current_epoch + 1}/{task.trainer.max_epochs}, step {task.global_step}"


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _remedies(config: Config) -> str:
    """Name the settings that usually help, with their present values."""
    rate = f"optimizer.{config.optimizer.name}.lr"
    rate += f" (now {config.optimizer.kwargs['lr']:g})" if "lr" in config.optimizer.kwargs else ""
    if config.scheduler is not None and "max_lr" in config.scheduler.kwargs:
        rate = f"scheduler.{config.scheduler.name}.max_lr (now {config.scheduler.kwargs['max_lr']})"
    elif config.patch.optimizer:
        rate = f"the learning rate in {config.patch.optimizer}"
    clip, present = config.trainer.get("gradient_clip_val"), precision(config)
    remedies = [
        f"lower {rate}",
        f"lower trainer.gradient_clip_val (now {clip:g})" if clip else "set trainer.gradient_clip_val (to 1.0, say)",
        *([f"set trainer.precision to 32-true (now {present})"] if "16" in present else []),
        "look for faults in the images with `trainlib check`",
    ]
    text = f"{', '.join(remedies[:-1])}, or {remedies[-1]}."
    return f"{text[0].upper()}{text[1:]}"


def _continuation(task: BaseTask) -> str:
    """Name the checkpoint to continue from; the weights in it are finite, or it had not been written."""
    found = [callback for callback in task.trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    path = next((callback.best_model_path for callback in found if callback.monitor is None), "")
    path = path or task.trainer.ckpt_path
    if not path:
        return "No epoch was finished, so that there is no checkpoint to continue from."
    return f"The last good checkpoint is in place: go on from it with other settings and `--ckpt_path {path}`."
