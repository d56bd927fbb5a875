"""Versions and machine: what results depend on beside config and data."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil
import torch

import trainlib
from trainlib.config.schema import Config
from trainlib.device import precision

_CPU_INFO = Path("/proc/cpuinfo")


def installed_packages() -> dict[str, str]:
    """Return the version of every installed package, sorted by name; the first of a name is the one that is used."""
    found: dict[str, str] = {}
    for dist in distributions():
        if name := dist.metadata["Name"]:
            found.setdefault(name, dist.version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def describe_environment(config: Config) -> dict[str, Any]:
    """Describe the machine and the versions that results depend on, and the precision that a run has there."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpu": cpu_model(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpus,
        "precision": precision(config),
        "python": sys.version.split()[0],
        "trainlib": trainlib.__version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if gpus else None,
        "threads": torch.get_num_threads(),
        "working_directory": str(Path.cwd()),
    }


def cpu_model() -> str:
    """Return the name of the processor's model, or of its architecture where the system tells no more."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
