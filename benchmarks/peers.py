"""Programs that trainlib is compared with, each in an environment of its own under benchmarks/.peers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).with_name(".peers")
TORCH = "torch==2.13.0"
_LIGHTNING_CLI = "from lightning.pytorch.cli import LightningCLI; LightningCLI(None, args=['fit', '--help'])"


@dataclass(frozen=True)
class Peer:
    """A program.

    Attributes:
        name: Name of its folder.
        packages: What is installed.
        command: How it is called; the first word is a program of its environment.
        shown: The command as it stands in the table.
    """

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    shown: str


PEERS = (
    Peer("gandlf", ("gandlf",), ("gandlf", "--help"), "gandlf --help"),
    Peer("nnunet", ("nnunetv2",), ("nnUNetv2_train", "-h"), "nnUNetv2_train -h"),
    Peer(
        "lightning-cli",
        ("lightning", "jsonargparse[signatures]"),
        ("python", "-c", _LIGHTNING_CLI),
        "LightningCLI fit --help",
    ),
)


def command_of(peer: Peer) -> list[str] | str:
    """Return the command line of a peer, which is installed where it is not there yet, or why it is absent."""
    folder = PLACE / peer.name
    ready, failed = folder / "ready", folder / "absent"
    if not ready.exists() and not failed.exists():
        problem = _install(peer, folder)
        (failed if problem else ready).write_text(problem)
    if failed.exists():
        return failed.read_text()
    program, *rest = peer.command
    return [str(folder / "bin" / program), *rest]


def _install(peer: Peer, folder: Path) -> str:
    """Install a peer, and return why it cannot be used; nothing where it can."""
    if not (folder / "bin").is_dir():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip"], check=False, capture_output=True)
    constraints = folder / "constraints.txt"
    constraints.write_text(f"{TORCH}\n")
    done = subprocess.run([*pip, "-c", str(constraints), *peer.packages], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"cannot be installed beside {TORCH}"
    program, *rest = peer.command
    tried = subprocess.run([str(folder / "bin" / program), *rest], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"it was installed, but ends with status {tried.returncode}"
