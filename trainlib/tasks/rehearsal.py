"""Find before any case is prepared what would not fit: network, inferer and loss, to the window and to each other."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer

from trainlib.build.components import build_inferer, build_loss, build_model
from trainlib.build.guards import as_list
from trainlib.build.patches import patched
from trainlib.build.resolve import ComponentError, collect
from trainlib.build.weights import meta_network
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.errors import InputError, StepError
from trainlib.seeding import isolated_random_state
from trainlib.tasks import TASKS
from trainlib.tasks.base import BaseTask
from trainlib.tasks.failures import component, shape_of
from trainlib.tasks.trial import check_shape

_MOST_VALUES = 2**24  # in a tensor that is made for a trial


def misfits(config: Config) -> list[tuple[Key, str]]:
    """Send an empty window through the network, without memory or computing, and through inferer and loss.

    What cannot be told in this way is found by `try_window` later on.

    Args:
        config: A config whose components can be built, with the channels of its images.

    Returns:
        Key and sentence of each mistake.
    """
    task = TASKS[config.task](config)
    mistakes: list[tuple[Key, str]] = []
    with isolated_random_state(0):
        if collect(lambda: _try_network(task), mistakes, ("model",)):
            collect(lambda: _try_inferer(task), mistakes, ("inferer",))
            collect(lambda: _try_loss(task), mistakes, ("loss",))
    return [(_place(config, key), text) for key, text in mistakes]


def _place(config: Config, key: Key) -> Key:
    """Point to the script, where it is a function of it that made the component."""
    kind = str(key[0])
    script = getattr(config.patch, kind, None)
    return ("patch", kind) if script and patched(script, f"get_{kind}") else key


def _is_large(size: tuple[int, ...]) -> bool:
    return prod(size) > _MOST_VALUES


def _computes_here(config: Config) -> bool:
    """Tell whether the training takes place on the CPU; what fails there may be made for a GPU alone."""
    accelerator = config.trainer.get("accelerator") or "auto"
    there = torch.cuda.is_available() or torch.backends.mps.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not there)


def _try_network(task: BaseTask) -> bool:
    """Compare the shape of the output with what it must be; False where the network needs its memory to run.

    Raises:
        ComponentError: The network cannot handle the window, or gives another shape.
    """
    config = task.config
    size = (1, config.in_channels, *config.roi_size)
    window = torch.zeros(size, device="meta")
    try:
        logits = _output(task, meta_network(config), window)
    except Exception as error:
        if isinstance(error, NotImplementedError | InputError) or "meta" in str(error) or _is_large(size):
            return False
        if not _computes_here(config):
            return False
        subject = f"an image of shape {size}"
        with component("model", config, subject):
            network = build_model(config)
        with component("model", config, subject, [network]):
            logits = _output(task, network, torch.zeros(size))  # it alone is proof
    check_shape(task, window, logits)
    return True


def _output(task: BaseTask, network: torch.nn.Module, window: torch.Tensor) -> Any:
    task.network = network
    network.eval()
    with torch.no_grad():
        return task(window)


def _try_inferer(task: BaseTask) -> None:
    """Call an inferer of MONAI on the window, with a network that gives zeros.

    Raises:
        ComponentError: It fails.
    """
    config = task.config
    inferer = build_inferer(config)
    # One window is enough, and many small ones take long.
    sides = as_list(getattr(inferer, "roi_size", None) or config.roi_size)
    size = (1, config.in_channels, *sides)
    usual = len(sides) == config.data.spatial_dims and all(isinstance(side, int) and side > 0 for side in sides)
    if not isinstance(inferer, SlidingWindowInferer | SimpleInferer) or not usual or _is_large(size):
        return

    def network(image: torch.Tensor) -> torch.Tensor:
        spatial = image.shape[2:] if config.task == SEGMENTATION else ()
        return torch.zeros(len(image), config.out_channels, *spatial)

    try:
        with component("inferer", config, f"an image of shape {size}", [inferer]):
            inferer(torch.zeros(size), network)
    except (ComponentError, StepError):
        if _computes_here(config):
            raise


def _try_loss(task: BaseTask) -> None:
    """Call the loss on zeros of the output's shape.

    Raises:
        ComponentError: It fails, or returns what no network can learn from.
    """
    task.loss = build_loss(task.config)
    if _is_large(task.output_shape):
        return
    logits = torch.zeros(task.output_shape, requires_grad=True)
    try:
        with component("loss", task.config, f"an output of {shape_of(logits)}", [task.loss]):
            loss: Any = task._loss(logits, task._empty_target())
    except (ComponentError, StepError):
        if _computes_here(task.config):
            raise
        return
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        found = shape_of(loss) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ComponentError([(("loss",), f"loss: returned {found}, expected a tensor with one number.")])
    if not loss.requires_grad:
        text = "loss: what it returns does not depend on the output of the network, so that nothing can be learned."
        raise ComponentError([(("loss",), text)])
