"""Checks of GPUs: whether there are any, and whether torch can use them."""

from __future__ import annotations

import re

from trainlib.commands.doctor.facts import Facts, Gpu, gib
from trainlib.commands.doctor.gpus import visible
from trainlib.commands.doctor.verdicts import broken, doubtful, fine
from trainlib.debug.finding import Finding

_INSTALL = "https://pytorch.org/get-started/locally"
_CROWDED = 0.5  # of a GPU's memory in use by others
_ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)[a-z]?")


def check_gpu(facts: Facts) -> Finding:
    """Name the processor that a training will use; a GPU that torch cannot use is worth a warning."""
    torch = facts.torch
    if torch is None:
        return doubtful("gpu", "GPUs cannot be looked at without torch.", "Repair torch first.")
    if torch.gpus:
        return fine("gpu", "; ".join(map(_described, torch.gpus)) + (f", driver {facts.driver}" * bool(facts.driver)))
    if torch.mps:
        return fine("gpu", "the GPU of this Mac, through MPS")
    verdict = broken if facts.accelerator in ("gpu", "cuda") else doubtful
    if not facts.driver_gpus:
        if facts.accelerator in ("gpu", "cuda", "mps"):
            found = f"trainer.accelerator is {facts.accelerator}, but there is no such GPU."
            return broken("gpu", found, "Leave trainer.accelerator out, or set it to cpu.")
        return fine("gpu", "none: trainings run on the CPU")
    there = f"There is {', '.join(gpu.name for gpu in facts.driver_gpus)}"
    if facts.variables.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return verdict("gpu", f"{there}, but CUDA_VISIBLE_DEVICES hides it.", "Unset CUDA_VISIBLE_DEVICES.")
    if torch.cuda is None:
        found = f"{there}, but torch {torch.version} was built without CUDA: trainings run on the CPU."
        return verdict("gpu", found, f"Install a torch with CUDA; the command is on {_INSTALL}.")
    return verdict(
        "gpu",
        f"{there}, but torch {torch.version} cannot use it: the driver, {facts.driver}, may be older than CUDA "
        f"{torch.cuda} needs.",
        f"Update the driver, or install a torch for an older CUDA; the commands are on {_INSTALL}.",
    )


def check_architectures(facts: Facts) -> Finding | None:
    """Look for GPUs that torch has no kernels for; every operation on one fails."""
    torch = facts.torch
    if torch is None or torch.hip or not torch.architectures:
        return None
    wrong = [gpu for gpu in torch.gpus if gpu.capability and not _runs_on(gpu.capability, torch.architectures)]
    if not wrong:
        return None
    return broken(
        "gpu kernels",
        f"torch {torch.version} has no kernels for {', '.join(map(_described, wrong))}; it was built for "
        f"{', '.join(torch.architectures)}.",
        f"Install a torch that was built for it; the command is on {_INSTALL}. Until then set trainer.accelerator to "
        "cpu.",
    )


def check_gpu_memory(facts: Facts) -> Finding | None:
    """Look for GPUs whose memory others use, among those that a training may use."""
    full = [
        f"{gpu.name}: {gib(gpu.memory - gpu.free)} of {gib(gpu.memory)} are in use"
        for gpu in visible(facts.driver_gpus, facts.variables.get("CUDA_VISIBLE_DEVICES"))
        if gpu.free is not None and gpu.free < (1 - _CROWDED) * gpu.memory
    ]
    if not full:
        return None
    remedy = "`nvidia-smi` names the processes; choose another GPU with CUDA_VISIBLE_DEVICES, or end them."
    return doubtful("gpu memory", f"{'; '.join(full)}.", remedy)


def check_slowing_variables(facts: Facts) -> Finding | None:
    """Look for settings of the environment that are meant for the search of bugs and slow a GPU down."""
    names = ("CUDA_LAUNCH_BLOCKING", "PYTORCH_NO_CUDA_MEMORY_CACHING")
    found = [name for name in names if facts.variables.get(name, "0") not in ("", "0")]
    if not found or facts.torch is None or not facts.torch.gpus:
        return None
    are = "is" if len(found) == 1 else "are"
    return doubtful(
        "variables", f"{' and '.join(found)} {are} set, which slows a GPU down.", f"unset {' '.join(found)}"
    )


def _described(gpu: Gpu) -> str:
    capability = f", compute capability {gpu.capability[0]}.{gpu.capability[1]}" if gpu.capability else ""
    return f"{gpu.name} ({gib(gpu.memory)}{capability})"


def _runs_on(capability: tuple[int, int], architectures: tuple[str, ...]) -> bool:
    """Tell whether code runs on a GPU: binary code within the same major version, PTX on everything later."""
    for name in architectures:
        if found := _ARCHITECTURE.fullmatch(name):
            built = (int(found[2]), int(found[3]))
            if built <= capability and (found[1] == "compute" or built[0] == capability[0]):
                return True
    return False
