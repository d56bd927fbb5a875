"""What torch and the NVIDIA driver say of the GPUs."""

from __future__ import annotations

import shutil
import subprocess

from trainlib.commands.doctor.facts import MIB, Gpu, Torch

_SECONDS = 10
_QUERY = ("driver_version", "name", "memory.total", "memory.free", "uuid")


def torch_facts() -> Torch:
    """Ask torch, which can be imported."""
    import torch

    usable = torch.cuda.is_available()
    properties = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())] if usable else []
    return Torch(
        version=str(torch.__version__),
        cuda=torch.version.cuda,
        hip=torch.version.hip,
        cudnn=torch.backends.cudnn.version() if torch.version.cuda and torch.backends.cudnn.is_available() else None,
        usable=usable,
        gpus=tuple(Gpu(gpu.name, gpu.total_memory, None, (gpu.major, gpu.minor)) for gpu in properties),
        architectures=tuple(torch.cuda.get_arch_list()) if usable else (),
        mps=torch.backends.mps.is_available(),
        threads=torch.get_num_threads(),
    )


def driver_gpus() -> tuple[str, tuple[Gpu, ...]]:
    """Ask the driver, which knows the GPUs that torch cannot use, too.

    Returns:
        The driver's version and the GPUs; nothing without a driver.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return "", ()
    command = [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return "", ()
    return parse_driver(done.stdout)


def parse_driver(text: str) -> tuple[str, tuple[Gpu, ...]]:
    """Read the answer of ``nvidia-smi``: a line for each GPU, sizes in MiB, or ``[N/A]`` where it does not know."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.count(",") == 4]
    gpus = tuple(
        Gpu(name, int(total) * MIB if total.isdigit() else 0, int(free) * MIB if free.isdigit() else None, None, uuid)
        for _, name, total, free, uuid in rows
    )
    return (rows[0][0] if rows else ""), gpus


def visible(gpus: tuple[Gpu, ...], devices: str | None) -> tuple[Gpu, ...]:
    """Choose the GPUs that a training may use.

    Args:
        gpus: The GPUs of the machine, in their order.
        devices: The variable CUDA_VISIBLE_DEVICES: numbers or beginnings of UUIDs, of which CUDA takes those before the
            first that it does not know; None for a variable that is not set.
    """
    if devices is None:
        return gpus
    chosen: list[Gpu] = []
    for word in (word.strip() for word in devices.split(",")):
        if word.isdigit():
            found = list(gpus[int(word) : int(word) + 1])
        else:
            found = [gpu for gpu in gpus if word and gpu.uuid.startswith(word)]
        if len(found) != 1:
            break
        chosen += found
    return tuple(chosen)
