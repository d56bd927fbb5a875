"""What differs between two environments, and which of it is known to change figures in their last digits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlib.config.schema import Config

_FACTS = ("python", "platform", "cpu", "instructions", "gpus", "precision", "cuda", "cudnn")
"""The entries of ``environment.json`` that describe a machine; a repetition sets the number of threads itself."""
_DECISIVE_FACTS = ("cpu", "instructions", "gpus", "precision", "cuda", "cudnn", "threads")
_DECISIVE_PACKAGES = re.compile(
    "torch|monai|numpy|scipy|scikit-image|lightning|pytorch-lightning|torchmetrics|torchvision|triton|einops|nibabel|"
    "pillow|tifffile|imageio|itk|mkl|intel-openmp|nvidia-(cudnn|cublas|cuda|cufft|curand|cusolver|cusparse).*"
)
_ARCHITECTURE = re.compile("x86_64|AMD64|aarch64|arm64")


@dataclass(frozen=True)
class Environment:
    """Machine and versions.

    Attributes:
        facts: The entries of ``environment.json``.
        packages: Package -> version; empty where they are not known.
    """

    facts: dict[str, Any]
    packages: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """What differs between two environments.

    Attributes:
        what: Name of the package, or of the entry.
        then: The first value; empty where there was none.
        now: The second.
        decisive: Whether it is known to change figures.
    """

    what: str
    then: str
    now: str
    decisive: bool


def read_environment(start: Path) -> Environment:
    """Read the environment that a snapshot keeps; what it lacks is left out.

    Args:
        start: The snapshot, or that of a time when the run was resumed.
    """
    try:
        facts = json.loads((start / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = {}
    try:
        lines = (start / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    packages = dict(line.split("==", 1) for line in lines if "==" in line)
    return Environment(facts if isinstance(facts, dict) else {}, packages)


def present_environment(config: Config) -> Environment:
    """Describe the environment that a run has in this process."""
    from trainlib.callbacks.environment import describe_environment, installed_packages

    return Environment(describe_environment(config), installed_packages())


def compare_environments(then: Environment, now: Environment, facts: tuple[str, ...] = _FACTS) -> list[Difference]:
    """List what differs, the decisive first; what is not known of both is not compared.

    Args:
        then: The one.
        now: The other.
        facts: Entries to compare beside the packages.
    """
    found = [
        Difference(name, _text(then.facts[name]), _text(now.facts[name]), _is_decisive(name, then, now))
        for name in facts
        if name in then.facts and name in now.facts and then.facts[name] != now.facts[name]
    ]
    if then.packages and now.packages:
        before, after = _by_name(then), _by_name(now)
        found += [
            Difference(name, before.get(name, ""), after.get(name, ""), bool(_DECISIVE_PACKAGES.fullmatch(name)))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
    return sorted(found, key=lambda difference: not difference.decisive)


def _is_decisive(name: str, then: Environment, now: Environment) -> bool:
    """Tell whether a fact counts; of a platform system, architecture and C library do, the kernel's version not."""
    if name != "platform":
        return name in _DECISIVE_FACTS
    return _core(str(then.facts[name])) != _core(str(now.facts[name]))


def _core(platform: str) -> tuple[str, str]:
    found = _ARCHITECTURE.search(platform)
    return platform.split("-", maxsplit=1)[0], platform[found.start() :] if found else platform


def _by_name(environment: Environment) -> dict[str, str]:
    """Return the packages by their normalised names; trainlib is that of the snapshot, and torch tells its build."""
    packages = {
        re.sub("[-_.]+", "-", name).lower(): version
        for name, version in environment.packages.items()
        if name != "trainlib"
    }
    if "torch" in packages and "torch" in environment.facts:
        packages["torch"] = str(environment.facts["torch"])
    return packages


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
