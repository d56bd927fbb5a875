"""Git for a new project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from trainlib.build.patches import describe

_SECONDS = 20


def start_repository(folder: Path) -> str:
    """Make a folder a git repository, unless it lies in one.

    Args:
        folder: The folder.

    Returns:
        What came of it, in a sentence.
    """
    if shutil.which("git") is None:
        return "git is not installed: the project is under no version control. Install it, then `git init`."
    # Of a hook or a rebase, say, which would lead git to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        inside = _git(["rev-parse", "--show-toplevel"], folder, environment)
        if inside.returncode == 0:
            return f"git: the project belongs to the repository {inside.stdout.strip()}."
        made = _git(["-c", "init.defaultBranch=main", "init", "--quiet"], folder, environment)
    except (OSError, subprocess.SubprocessError) as error:
        return f"git could not be started: {describe(error)}. Make the repository yourself with `git init`."
    if made.returncode:
        said = " ".join(made.stderr.split())
        return f"git could not make a repository: {said}. Make it yourself with `git init`."
    return "git: a new repository; nothing is committed yet."


def _git(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
