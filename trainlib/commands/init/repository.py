"""Git for a new project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.words import listed

_SECONDS = 20
_CEILING = "GIT_CEILING_DIRECTORIES"  # above which git looks for no repository


def start_repository(folder: Path) -> str:
    """Make a folder a git repository, unless it lies in one.

    Args:
        folder: The folder.

    Returns:
        What came of it, in a sentence.
    """
    if shutil.which("git") is None:
        return "git is not installed: the project is under no version control. Install it, then `git init`."
    try:
        return _start(folder)
    except (OSError, subprocess.SubprocessError) as error:
        return f"git could not be started: {describe(error)}. Make the repository yourself with `git init`."


def _start(folder: Path) -> str:
    inside = _git(["rev-parse", "--show-toplevel"], folder)
    if inside.returncode and "not a git repository" not in inside.stderr:
        return f"git could not look for a repository: {_said(inside)}. The project is as it was."
    if inside.returncode == 0:
        top = inside.stdout.removesuffix("\n")
        return f"git: the project belongs to the repository {top}.{_workflow(folder, top)}{_not_left_out(folder)}"
    made = _git(["-c", "init.defaultBranch=main", "init", "--quiet"], folder)
    if made.returncode:
        return f"git could not make a repository: {_said(made)}. Make it yourself with `git init`."
    return f"git: a new repository; nothing is committed yet.{_not_left_out(folder)}"


def _workflow(folder: Path, top: str) -> str:
    if os.path.realpath(folder) == os.path.realpath(top):
        return ""
    return f" GitHub reads workflows in {os.path.join(top, '.github')} alone: move ci.yml there."


def _not_left_out(folder: Path) -> str:
    """Warn of what an ignore file that was there already lets into commits."""
    private = ["data/", "runs/", ".env"]
    ignored = _git(["check-ignore", "--no-index", "--", *private], folder).stdout.splitlines()
    exposed = [name for name in private if name not in ignored]
    text = f" .gitignore does not leave out {listed(exposed)}: add them, lest patients get into a commit."
    return text if exposed else ""


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()).rstrip(".")


def _git(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # Other variables, of a hook or a rebase, say, would lead git to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name == _CEILING}
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
