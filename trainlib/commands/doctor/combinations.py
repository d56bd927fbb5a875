"""Checks for versions that are known to be bad, alone or together."""

from __future__ import annotations

from trainlib.commands.doctor.facts import Facts
from trainlib.commands.doctor.verdicts import broken, doubtful
from trainlib.debug.finding import Finding
from trainlib.system.convolutions import slow_in_half

COMPROMISED = {"lightning": ("2.6.2", "2.6.3"), "pytorch-lightning": ("2.6.2", "2.6.3")}
"""Package -> versions with malicious code, which runs when they are imported: GHSA-w37p-236h-pfx3."""


def compromised(packages: dict[str, str]) -> list[str]:
    """List the installed packages that were published with malicious code, each with its version."""
    return [f"{name} {packages[name]}" for name, bad in COMPROMISED.items() if packages.get(name) in bad]


def check_compromised(facts: Facts) -> Finding | None:
    """Look for releases that steal credentials; they must not even be imported."""
    found = compromised(facts.packages)
    if not found:
        return None
    return broken(
        "malware",
        f"{' and '.join(found)} was withdrawn because it steals credentials when it is imported (GHSA-w37p-236h-pfx3).",
        "`pip uninstall lightning pytorch-lightning`, install 2.6.4 or later, and replace every password, token and "
        "key that this machine could read.",
    )


def check_slow_convolutions(facts: Facts) -> Finding | None:
    """Look for torch 2.9, whose 3-D convolutions in half precision miss cuDNN's kernels (pytorch issue 166122)."""
    torch = facts.torch
    if torch is None or not torch.cuda or not slow_in_half(torch.version, torch.cudnn):
        return None
    return doubtful(
        "convolutions",
        f"With torch {torch.version}, 3-D convolutions in mixed precision are about 4 times slower and take twice "
        "the memory.",
        "Install torch 2.10 or later, or 2.8, or cuDNN 9.15: `pip install 'nvidia-cudnn-cu12>=9.15'`. Until then "
        "leave trainer.precision out: 3-D networks compute in single precision then.",
    )


def check_mps(facts: Facts) -> Finding | None:
    """Look for a torch that has no transposed 3-D convolution on a Mac's GPU (pytorch issue 130256)."""
    torch = facts.torch
    if torch is None or not torch.mps or _release(torch.version) >= (2, 8) or facts.accelerator == "cpu":
        return None
    return broken(
        "mps",
        f"torch {torch.version} cannot compute transposed 3-D convolutions, as a UNet needs them, on a Mac's GPU.",
        "Install torch 2.8 or later, or set trainer.accelerator to cpu.",
    )


def check_tensorboard(facts: Facts) -> Finding | None:
    """Look for a TensorBoard that needs a module which setuptools no longer has (tensorboard issue 7003)."""
    board, tools = (facts.packages.get(name) for name in ("tensorboard", "setuptools"))
    # Without setuptools, TensorBoard's requirement says so.
    if board is None or tools is None or _release(board) >= (2, 21) or _release(tools) < (82, 0):
        return None
    return doubtful(
        "tensorboard",
        f"The command `tensorboard` {board} does not start with setuptools {tools}. Trainings log all the same.",
        "`pip install 'tensorboard>=2.21'`, or `pip install 'setuptools<82'`.",
    )


def _release(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    parts = [*version.split("+", maxsplit=1)[0].split("."), "0"]
    digits = ["".join(character for character in part if character.isdigit()) for part in parts[:2]]
    return int(digits[0] or 0), int(digits[1] or 0)
