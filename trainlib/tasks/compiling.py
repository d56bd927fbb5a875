"""Let torch compile the network of a training."""

from __future__ import annotations

import logging
from typing import Any

import torch

from trainlib.build.patches import describe
from trainlib.build.resolve import ComponentError
from trainlib.config.compiling import CompileSection

log = logging.getLogger(__name__)

_OF_COMPILER = ("torch._dynamo", "torch._inductor")
_OF_NETWORK = "TorchRuntimeError"  # what a network raises itself while it is traced
_LONGEST = 160  # letters of what torch says; of an option that is wrong it lists hundreds that are not


class CompilerError(ComponentError):
    """torch cannot compile the network, for which no case is to blame."""


def compile_network(network: torch.nn.Module, settings: CompileSection, device: torch.device) -> None:
    """Let a network be compiled when it is called next; names of its weights, and checkpoints, stay as they are.

    Args:
        network: The network.
        settings: How to compile it.
        device: Where it is.

    Raises:
        ComponentError: torch cannot compile here, or not in this way.
    """
    torch.compiler.reset()  # torch counts how often it compiles a method, and leaves those of a ninth network alone
    _try_compiler(settings, device)
    network.compile(**settings.keywords())
    log.info("model.compile: the first steps of training and validation take longer, for torch compiles the network.")


def _try_compiler(settings: CompileSection, device: torch.device) -> None:
    """Compile next to nothing, forward and backward, which takes seconds where the network may take minutes.

    Raises:
        ComponentError: It fails.
    """

    def small(values: torch.Tensor) -> torch.Tensor:
        return (values * values).relu().sum()

    try:
        with torch.enable_grad(), torch.random.fork_rng():
            values = torch.ones(8, device=device, requires_grad=True)
            compiled: Any = torch.compile(small, **settings.keywords())
            compiled(values).backward()
    except Exception as error:  # of many kinds, from torch and from backends
        said = _said(error)
        text = f"model.compile: torch cannot compile here: {said}. {_remedy(said, settings, device)}"
        raise ComponentError([(("model", "compile"), text)]) from error


def compiler_error(error: Exception, settings: CompileSection | None) -> CompilerError | None:
    """Put into words what torch raises where it compiles the network, in its first steps; None for any other error.

    Args:
        error: What the network raised.
        settings: How it is compiled; None where it is not.
    """
    kind = type(error)
    if settings is None or not kind.__module__.startswith(_OF_COMPILER) or kind.__name__ == _OF_NETWORK:
        return None
    remedy = "Set it to true, which asks for nothing special, or to false" if settings != CompileSection() else ""
    if settings.fullgraph:
        remedy = "Set fullgraph to false, so that those parts are compiled that can be, or model.compile to false"
    text = f"model.compile: torch cannot compile this network: {_said(error)}. {remedy or 'Set it to false'}."
    return CompilerError([(("model", "compile"), text)])


def _said(error: BaseException) -> str:
    said = describe(_first_cause(error))
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."


def _first_cause(error: BaseException) -> BaseException:
    """Return what an error of a backend was made of, which says more than the error."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None and inner is not error:
        error = inner
    return error


def _remedy(said: str, settings: CompileSection, device: torch.device) -> str:
    if settings != CompileSection() and not any(tool in said.lower() for tool in ("compiler", "triton")):
        return "Set it to true, which asks for nothing special, or to false."
    needed = "the package triton and a C compiler" if device.type == "cuda" else "a C++ compiler, such as g++"
    return f"It needs {needed}. Without one set it to false."
