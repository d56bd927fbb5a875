"""How much memory a training step takes, without taking it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import psutil
import torch
from torch import nn

from trainlib.build.components import build_loss, build_model, build_optimizer
from trainlib.check.cache_size import in_bytes
from trainlib.check.finding import Finding
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.machine import available_memory
from trainlib.device import precision, uses_cuda
from trainlib.errors import TrainlibError

_LARGEST = 2  # tensors of the size of the largest that exist for a moment: an output and its gradient
# The C library keeps small pieces of freed memory and cannot always use them again; larger ones it gives back at once.
_SMALL, _KEPT_TOO = 32 * 2**20, 1.6


@dataclass(frozen=True)
class StepMemory:
    """What one training step takes, in bytes.

    Attributes:
        parameters: Number of the network's parameters.
        windows: Windows in a batch.
        network: The network's parameters and buffers.
        gradients: Their gradients.
        optimizer: What the optimizer keeps for each parameter.
        activations: What is kept of the forward pass for the backward pass, and what exists for a moment beside it.
        libraries: Python and the libraries, in the process that trains; on a GPU they do not count.
        available: Memory that is free: of the GPU where one is used, else of the machine.
        device: ``cpu`` or ``gpu``.
    """

    parameters: int
    windows: int
    network: int
    gradients: int
    optimizer: int
    activations: int
    libraries: int
    available: int
    device: str

    @property
    def total(self) -> int:
        """All of it on the device that trains."""
        step = self.network + self.gradients + self.optimizer + self.activations
        return step + (self.libraries if self.device == "cpu" else 0)


def step_memory(config: Config, window: tuple[int, ...], windows: int) -> StepMemory | None:
    """Estimate the memory of a training step.

    The network runs on tensors without memory (torch's device ``meta``), and what autograd keeps for the backward pass
    is counted, each storage once. The loss is run on a small window and scaled up. Against the measured peak of U-Nets,
    a SegResNet, transformers and a DenseNet on a CPU, a step of more than 100 MiB came out at 0.73 to 1.14 times.

    Args:
        config: The config.
        window: Voxels of a window along each axis.
        windows: Windows in a batch: cases times the windows that are cut from each.

    Returns:
        The estimate; None where the network cannot run without memory.
    """
    try:
        network, kept, logits = _forward(config, (windows, config.in_channels, *window))
        per_value = _kept_by_loss(config, len(logits) - 2)
    except Exception:  # of all kinds, from a network or loss of the user's own
        return None
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    weights = _bytes_of(network.parameters()) + _bytes_of(network.buffers())
    gradients = _bytes_of(parameters)
    half = 0.5 if "16" in precision(config) else 1.0
    gpu = uses_cuda(config)
    tensors = [half * size for size in (*kept, *[max(kept, default=0)] * _LARGEST)] + [per_value * prod(logits)]
    activations = sum(size if gpu or size >= _SMALL else _KEPT_TOO * size for size in tensors)
    return StepMemory(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        windows=windows,
        network=weights,
        gradients=gradients,
        optimizer=round(gradients * _optimizer_states(config)),
        activations=round(activations),
        libraries=int(psutil.Process().memory_info().rss),
        available=int(torch.cuda.mem_get_info()[0]) if gpu else available_memory(),
        device="gpu" if gpu else "cpu",
    )


def too_much(memory: StepMemory) -> Iterator[Finding]:
    """Tell whether a step will hardly fit."""
    needed = memory.total - (memory.libraries if memory.device == "cpu" else 0)
    if needed > memory.available:
        text = f"A training step takes about {in_bytes(needed)}, and {in_bytes(memory.available)} of memory are free."
        remedy = "Lower data.batch_size, the window of transforms.train, or the channels of the network."
        yield Finding("warning", "memory", text, remedy)


def _forward(config: Config, shape: tuple[int, ...]) -> tuple[nn.Module, list[int], tuple[int, ...]]:
    """Run the network without memory.

    Returns:
        The network, the sizes in bytes of what is kept for the backward pass, and the shape of the logits.
    """
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor  # the tensor too, lest its address is given to another
        return tensor

    network = _weightless(config).train()
    with torch.device("meta"):
        image = torch.zeros(shape)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = network(image)
    own = {t.untyped_storage()._cdata for t in (*network.parameters(), *network.buffers())}
    sizes = [tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in own]
    return network, sizes, tuple(logits.shape)


def _weightless(config: Config) -> nn.Module:
    """Build the network without memory for its weights; those that cannot be are built in full first."""
    try:
        with torch.device("meta"):
            return build_model(config)
    except TrainlibError:
        return build_model(config).to("meta")


def _kept_by_loss(config: Config, dims: int) -> float:
    """Measure what the loss keeps for each value of the logits, in bytes."""
    shape = (2, config.out_channels, *([8] * dims))
    logits = torch.zeros(shape, requires_grad=True)
    loss: Any = build_loss(config)
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss(logits, _target(config, loss, shape))
    # The logits' own gradient comes on top.
    return 4 + sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / logits.numel()


def _target(config: Config, loss: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """Make a target in the form that the task hands to the loss."""
    if config.task != SEGMENTATION:
        return torch.zeros(shape) if config.multilabel else torch.zeros(shape[0], dtype=torch.long)
    label = torch.zeros(shape[0], 1, *shape[2:], dtype=torch.long)
    return label[:, 0] if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) else label


def _optimizer_states(config: Config) -> float:
    """Count what the optimizer keeps for each number of a parameter, by a step of one; two where it cannot be seen."""
    weight = nn.Parameter(torch.zeros(32, 32))
    weight.grad = torch.ones_like(weight)
    try:
        optimizer = build_optimizer(config, [weight])
        optimizer.step()
    except Exception:  # of all kinds, from an optimizer of the user's own
        return 2.0
    states = (value for state in optimizer.state.values() for value in state.values())
    return sum(value.numel() for value in states if isinstance(value, torch.Tensor) and value.ndim) / weight.numel()


def _bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
