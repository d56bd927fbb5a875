"""Run a run again with the code of its snapshot, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from trainlib.commands.reproduce.environment import read_environment
from trainlib.commands.reproduce.original import Original
from trainlib.config.load import dump_settings
from trainlib.errors import ConfigError, InputError, Interrupted, TrainlibError
from trainlib.folder import RunFolder
from trainlib.runs import free_name
from trainlib.signals import interruptible

_SILENT = ("progress", "report", "emissions", "pushover")
"""Sections that are switched off: they send, measure or draw, and change no figure."""

# What `-m trainlib` would do, after making sure whose code that is. The working directory comes last: a package of the
# user's own that lies in it is found, but takes the place of no other.
_PROGRAM = """
import os, sys
import trainlib
found, wanted = os.path.realpath(os.path.dirname(trainlib.__file__)), os.path.realpath(sys.argv.pop(1))
if found != wanted:
    sys.exit(f"The code of the snapshot is in {wanted}, but {found} was imported.")
sys.path.append(os.getcwd())
from trainlib.cli import main
main()
"""


def repetition_folder(original: Original, out: Path | None = None) -> Path:
    """Choose the folder of the repetition.

    Args:
        original: The run.
        out: The folder that was asked for; None takes the run's name and ``_reproduced``, with the next free number.

    Raises:
        ConfigError: The folder exists already, or its name is none for a run.
    """
    if out is None:
        run = original.folder.path
        return free_name(run.with_name(f"{run.name}_reproduced"))
    out = out.absolute()
    if out.exists():
        raise ConfigError(f"--out: {out} exists already. Name a new folder.")
    if out.name.startswith("."):
        raise ConfigError(f"--out: {out.name} is no name for a run, for it begins with a dot.")
    return out


def repeat(original: Original, out: Path, *, use_cache: bool = False) -> RunFolder:
    """Train, validate and test as the run did.

    Cases are prepared anew from the data files, in a cache that is deleted afterwards. The number of threads is that
    of the run. Nothing is written into the folder of the run.

    Args:
        original: The run.
        out: Folder of the repetition, as `repetition_folder` chose it.
        use_cache: Whether to take prepared cases from the run's own disk cache where they are in it.

    Returns:
        The folder.

    Raises:
        ConfigError: The folder cannot be made.
        TrainlibError: The repetition failed; it has told why.
        Interrupted: A signal ended it.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".reproducing-", dir=out.parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigError(f"--out: nothing can be written into {out.parent} ({error.strerror}).") from None
    with scratch as folder:
        cache = original.config.cache_dir if use_cache else Path(folder) / "cache"
        changes = Path(folder) / "repetition.yaml"
        changes.write_text(dump_settings(changed_settings(original, out, cache)), encoding="utf-8")
        status = _run(original, ["fit", "-c", str(original.folder.config), "-c", str(changes)])
    if status == InputError.exit_status:
        raise InputError("The repetition was refused, for the reasons above. Nothing was compared.")
    if status != 0:
        ended = f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"
        raise TrainlibError(f"The repetition {ended}. Nothing was compared; what it left is in {out}.")
    return RunFolder(out)


def changed_settings(original: Original, out: Path, cache: Path) -> dict[str, Any]:
    """List the settings that differ from the run's ``config.yaml``: where things are, and what is switched off.

    A setting that the run's trainlib did not know yet is left out.

    Args:
        original: The run.
        out: Folder of the repetition.
        cache: Folder of the disk cache.
    """
    config = original.config
    data = ("root", "train_csv", "valid_csv", "test_csv", "predict_csv")
    wanted: dict[str, Any] = {
        "run": {"name": out.name, "root": str(out.parent), "overwrite": False},
        "data": {name: getattr(config.data, name) for name in data} | {"cache_dir": str(cache)},
        "patch": {name: path for name, path in config.patch if path},
        **dict.fromkeys(_SILENT),
    }
    changes: dict[str, Any] = {}
    for section, values in wanted.items():
        if section in original.settings:
            known = original.settings[section]
            changes[section] = values and {name: value for name, value in values.items() if name in known}
    return {section: values for section, values in changes.items() if values != {}}


def _run(original: Original, arguments: list[str]) -> int:
    """Run the snapshot's trainlib, and pass signals on to it; two interrupts by Ctrl-C do no harm."""
    code = original.start / "trainlib"
    threads = read_environment(original.start).facts.get("threads")
    variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)) if threads else {}
    path = os.pathsep.join(filter(None, [str(code.parent), os.environ.get("PYTHONPATH")]))
    variables |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}  # the snapshot stays as it is
    with interruptible():
        process = subprocess.Popen(
            # -P: not even a folder `trainlib` in the working directory comes before the snapshot.
            [sys.executable, "-P", "-c", _PROGRAM, str(code), *arguments],
            env=os.environ | variables,
            cwd=original.directory if original.directory.is_dir() else None,
        )
        try:
            return process.wait()
        except Interrupted as interruption:
            process.send_signal(interruption.exit_status - 128)
            process.wait()
            raise
