"""Processes that are started together, and that end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import calls
from trainlib.errors import ConfigError, DataError, Interrupted, ProcessError, ResourceError, TrainlibError
from trainlib.processes.supervisor import Supervisor

WATCHED = """
import json, os, sys
from functools import partial
from tests.processes import calls
from trainlib.errors import Interrupted
from trainlib.processes.supervisor import Supervisor
from trainlib.system.signals import interruptible
call = partial(getattr(calls, sys.argv[1]), *sys.argv[2:])
try:
    with interruptible():
        nodes = 2 if "NODE_RANK" in os.environ else 1
        Supervisor(partial(calls.together, call) if sys.argv[1] != "stand_still" else call, 2 // nodes, nodes).run()
except Interrupted as error:
    print(json.dumps([error.exit_status, str(error.checkpoint)]))
"""


def run(call: Callable[..., Any], *arguments: Any) -> Any:
    """Let two processes that have joined make a call."""
    return Supervisor(partial(calls.together, partial(call, *arguments)), 2).run()


def test_each_process_knows_its_place_and_the_first_gives_the_result() -> None:
    assert Supervisor(calls.who, 3).run() == (0, 3, 0, 3)


def test_processes_start_without_what_they_do_not_need() -> None:
    assert Supervisor(calls.torch_is_loaded, 2).run() is False


def test_what_processes_tell_each_other_arrives_in_order() -> None:
    assert run(calls.talk) == {
        "rank": [0, 1],
        "size": 2,
        "broadcast": ["from 0", "from 0"],
        "decided": [[0, "chosen"], [0, "chosen"]],
        "interleaved": ["0.0", "1.0", "0.1", "1.1", "0.2"],
    }


@pytest.mark.parametrize(
    ("which", "how", "kind", "text"),
    [
        (1, "input", DataError, "^a.csv:2: is empty.\na.csv:3: is missing.$"),
        (0, "kill", ResourceError, "^Process 0 was killed by the system, most likely because memory ran out"),
        pytest.param(0, "input", DataError, "^a.csv:2: is empty.\n", marks=pytest.mark.slow),
        pytest.param(1, "kill", ResourceError, "^Process 1 was killed by the system", marks=pytest.mark.slow),
    ],
)
def test_all_end_with_the_error_of_the_one_that_failed(
    tmp_path: Path, which: int, how: str, kind: type[TrainlibError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        run(calls.fail_in_one, which, how, str(tmp_path / "log"))
    told = (tmp_path / f"log.{1 - which}").read_text()
    assert told.startswith(f"{kind.__name__}: ")
    assert "Connection" not in told


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("resource", ResourceError, "^Process 1 on .*: The GPU ran out of memory.$"),
        pytest.param("bug", ProcessError, "^Process 1 on .*: ZeroDivisionError: by zero$", marks=pytest.mark.slow),
        pytest.param("exit", ProcessError, "^Process 1 ended with status 5; what it said", marks=pytest.mark.slow),
    ],
)
def test_the_error_says_which_process_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], how: str, kind: type[TrainlibError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        run(calls.fail_in_one, 1, how, str(tmp_path / "log"))
    errors = capfd.readouterr().err
    assert errors.count("Traceback (most recent call last)") == (1 if how == "bug" else 0), errors


def test_a_wrong_decision_of_the_first_process_is_told_once_though_another_ends_before_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(DataError, match=r"^a\.csv:2: is empty\."):
        run(calls.decide_wrongly)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_failure_ends_those_who_wait_outside_of_a_collective() -> None:
    with pytest.raises(ResourceError, match="no room"):
        run(calls.fail_without_meeting)


@pytest.mark.slow
def test_one_process_that_is_interrupted_interrupts_all() -> None:
    with pytest.raises(Interrupted, match="interrupted by signal 15"):
        run(calls.interrupt_one)


def test_messages_are_told_by_the_first_process_and_warnings_by_each(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    from trainlib.cli.output import _LineHandler

    logger = logging.getLogger("trainlib")
    file = logging.FileHandler(os.devnull)
    monkeypatch.setattr(logger, "handlers", [_LineHandler(), file])
    monkeypatch.setattr(logger, "propagate", False)
    logger.setLevel(logging.INFO)
    try:
        run(calls.speak)
    finally:
        logger.setLevel(logging.NOTSET)
        file.close()
    lines = capfd.readouterr().out.splitlines()
    assert sorted(lines) == ["process 1: told by each", "told by each", "told once"]


def test_processes_that_were_started_once_can_do_one_run_after_the_other() -> None:
    assert Supervisor(partial(calls.twice, calls.talk), 2).run() == [run(calls.talk)] * 2


def test_processes_that_somebody_else_has_started_can_do_another_run_after_one_that_failed(tmp_path: Path) -> None:
    code = "import sys; from tests.processes import calls; calls.fail_and_try_again(sys.argv[1])"
    common = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            env=os.environ | common | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    errors = [task.communicate(timeout=60)[1] for task in tasks]
    assert errors == ["", ""]
    told = ["a.csv:2: is empty.\na.csv:3: is missing.", [0, 1]]
    assert [json.loads((tmp_path / rank).read_text()) for rank in ("0", "1")] == [told, told]


@pytest.mark.parametrize(("given", "share"), [(None, None), ("5", "5")])
def test_the_processes_share_the_cores_unless_the_user_has_said_how(
    monkeypatch: pytest.MonkeyPatch, given: str | None, share: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    assert Supervisor(calls.threads, 2).run() == (share or str(max(1, cores // 2)))


class _OfMain:
    """Something of the program that was started."""


_OfMain.__module__ = "__main__"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (_OfMain(), "^extra: _OfMain is defined in the program that was started, which .* Define it in a module"),
        (lambda: 0, r"^extra: this cannot be sent to other processes \(\w+: .*lambda.*\)\. Leave it out, or set"),
    ],
)
def test_what_cannot_be_sent_is_told_by_its_name_before_anything_is_started(value: object, text: str) -> None:
    supervisor = Supervisor(partial(calls.together, name="x", extra=[value]), 2)
    with pytest.raises(ConfigError, match=text):
        supervisor.run()
    assert supervisor._members == []


def test_several_machines_must_know_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ConfigError, match=r"trainer\.num_nodes is 2: .* MASTER_ADDR, MASTER_PORT and NODE_RANK"):
        Supervisor(calls.who, 1, nodes=2).run()


def start(call: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a process that watches two others, or one of two machines."""
    return subprocess.Popen(
        [sys.executable, "-c", WATCHED, call, *arguments],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def free_port() -> str:
    """Return a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def members(ready: Path) -> list[psutil.Process]:
    """Wait until both are at work."""
    deadline = time.monotonic() + 60
    files = [ready.with_name(f"{ready.name}.{rank}") for rank in range(2)]
    while not all(file.is_file() and file.read_text() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [psutil.Process(int(file.read_text())) for file in files]


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_ends_all_and_tells_the_checkpoint(tmp_path: Path, number: int) -> None:
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.touch()
    process = start("sleep_after_note", str(checkpoint), str(tmp_path / "ready"))
    those = members(tmp_path / "ready")
    os.kill(process.pid, number)
    out, errors = process.communicate(timeout=30)
    assert json.loads(out) == [128 + number, str(checkpoint)]
    assert "Traceback" not in errors
    assert not any(member.is_running() for member in those)


@pytest.mark.parametrize("which", [0, 1])
def test_a_signal_to_one_machine_ends_the_other_with_the_same_checkpoint(tmp_path: Path, which: int) -> None:
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.touch()
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    machines = [
        start("end_late", str(checkpoint), str(tmp_path / "ready"), NODE_RANK=str(node), **meeting) for node in (0, 1)
    ]
    members(tmp_path / "ready")
    os.kill(machines[which].pid, signal.SIGTERM)
    outputs = [machine.communicate(timeout=30) for machine in machines]
    assert [json.loads(out) for out, _ in outputs] == [[143, str(checkpoint)]] * 2
    assert [errors for _, errors in outputs] == ["", ""]


@pytest.mark.slow
def test_processes_that_heed_no_signal_are_killed(tmp_path: Path) -> None:
    process = start("stand_still", str(tmp_path / "ready"))
    those = members(tmp_path / "ready")
    os.kill(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert json.loads(out) == [143, "None"]
    assert not any(member.is_running() for member in those)


def test_processes_end_when_whoever_started_them_is_killed(tmp_path: Path) -> None:
    process = start("stand_still", str(tmp_path / "ready"))
    those = members(tmp_path / "ready")
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(those, timeout=10)
    assert alive == []
