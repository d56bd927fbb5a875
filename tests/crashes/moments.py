"""Strike a training at a chosen moment; also a patch script, which reads the moment from ``moment.json`` beside it.

A moment is one of ``train``, ``valid``, ``test`` (a step of the task) or, of a file that is written under a temporary
name, ``begin NAME`` (nothing is written yet), ``written NAME`` (it has not its name yet) and ``renamed NAME``, where
NAME may hold wildcards.
"""

from __future__ import annotations

import fnmatch
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Act = Callable[[], None]


class Strike:
    """Does something the nth time that a moment comes.

    Args:
        moment: The moment.
        act: What is done.
        nth: The first time is 1; counted in each process of its own.
    """

    def __init__(self, moment: str, act: Act, nth: int = 1) -> None:
        self.moment = moment
        self.act = act
        self.left = nth

    def come(self, moment: str) -> None:
        """Tell that a moment has come."""
        if fnmatch.fnmatchcase(moment, self.moment):
            self.left -= 1
            if self.left == 0:
                self.act()


def install(strike: Strike) -> None:
    """Watch the steps of the task and the files that are written, in this process and in its workers."""
    _watch_files(strike)
    from trainlib.tasks.base import BaseTask

    for stage, name in (("train", "training_step"), ("valid", "validation_step"), ("test", "test_step")):
        setattr(BaseTask, name, _before(getattr(BaseTask, name), lambda *_, stage=stage: strike.come(stage)))


def _watch_files(strike: Strike) -> None:
    made, synced, replaced = tempfile.mkstemp, os.fsync, Path.replace

    def mkstemp(*args: Any, **kwargs: Any) -> tuple[int, str]:
        handle, name = made(*args, **kwargs)
        if ".writing-" in name:
            strike.come(f"begin {_final(name)}")
        return handle, name

    def fsync(file: int) -> None:
        synced(file)
        name = os.readlink(f"/proc/self/fd/{file}")
        if ".writing-" in name:
            strike.come(f"written {_final(name)}")

    def replace(self: Path, target: Path) -> Path:
        result = replaced(self, target)
        if ".writing-" in self.name:
            strike.come(f"renamed {Path(target).name}")
        return result

    tempfile.mkstemp, os.fsync, Path.replace = mkstemp, fsync, replace  # type: ignore[assignment,method-assign]


def _before(function: Callable[..., Any], act: Callable[..., None]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        act()
        return function(*args, **kwargs)

    return called


def _final(temporary: str) -> str:
    """Return the name that a file of a temporary name, ``.writing-RANDOM-NAME``, is going to have."""
    return Path(temporary).name.split("-", 2)[2]


def send(number: int, *, group: bool = False, twice: bool = False, delay: float = 0.0) -> Act:
    """Send a signal to this process, also where a worker comes to the moment.

    Args:
        number: The signal.
        group: Whether to send it to the whole process group, as SLURM does.
        twice: Whether to send it once more half a second later, when the run is about to end.
        delay: Seconds to wait, during which the run goes on.
    """
    process = os.getpid()

    def once() -> None:
        os.killpg(process, number) if group else os.kill(process, number)

    def act() -> None:
        for wait in (delay, 0.5) if twice else (delay,):
            if wait:
                threading.Timer(wait, once).start()
            else:
                once()

    return act


def _as_patch_script() -> None:
    """Install the strike of ``moment.json``, once, and note in ``hits.txt`` that it struck."""
    plan, hits = Path(__file__).with_name("moment.json"), Path(__file__).with_name("hits.txt")
    if not plan.is_file() or hasattr(signal, "struck"):
        return
    signal.struck = True  # type: ignore[attr-defined]
    wish = json.loads(plan.read_text())
    kill = send(signal.SIGKILL, delay=wish.get("delay", 0.0))

    def act() -> None:
        with hits.open("a") as file:
            file.write(json.dumps(wish) + "\n")
        kill()

    install(Strike(wish["moment"], act, wish.get("nth", 1)))


_as_patch_script()
