"""Try network, inferer and loss before the first epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from trainlib.build.freezing import evaluating
from trainlib.build.resolve import ComponentError
from trainlib.config.model import BUNDLE
from trainlib.tasks.failures import component, shape_of
from trainlib.tasks.precise import all_digits

if TYPE_CHECKING:
    from trainlib.tasks.base import BaseTask


def check_shape(task: BaseTask, window: torch.Tensor, logits: Any) -> None:
    """Compare the output of a network for a window with what it must be.

    Raises:
        ComponentError: It has another shape.
    """
    shape = tuple(getattr(logits, "shape", ()))
    if shape != task.output_shape:
        text = (
            f"model: for an input of {shape_of(window)} the output has shape {shape}, expected {task.output_shape}: "
            f"{task.output_meaning}"
        )
        if task.config.model.name == BUNDLE:
            text += " A network of a bundle gets other outputs with, say, `bundle: {path: DIR, out_channels: 3}`."
        raise ComponentError([(("model",), text)])


def try_window(task: BaseTask, target: torch.Tensor) -> None:
    """Send one empty window through network, inferer and loss, so that a misfit is told before the first epoch.

    Args:
        task: The task, its trainer ready.
        target: A target for the window.

    Raises:
        ComponentError: One of them cannot handle the window, or the output has another shape than it must.
    """
    config = task.config
    window = torch.zeros(1, config.in_channels, *config.roi_size, device=task.device)
    subject = f"an image of {shape_of(window)}"
    forward = task.trainer.precision_plugin.forward_context()
    with evaluating(task.network), torch.no_grad(), torch.random.fork_rng(), forward:
        with component("model", config, subject, [task.network]):
            logits = task(window)
        check_shape(task, window, logits)
        with component("inferer", config, subject, [task.inferer, task.network]):
            task.inferer(window, task)
        with component("loss", config, subject, [task.loss]), all_digits(logits):
            task._loss(logits, target)
