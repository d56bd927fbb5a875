"""Longer searches: the best learning rate is found, hopeless trials end early, and nothing that is finished is lost."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch

from tests.tune.helpers import RATE, SGD
from trainlib.config.load import load_config
from trainlib.folders.searches import Search, outcomes, ranked, read_search

pytestmark = pytest.mark.slow

Cli = Callable[..., subprocess.CompletedProcess[str]]
# Below 0.001 and at 10 nothing is learnt in so many epochs, as a run at each decade shows.
SPACE: dict[str, Any] = {RATE: {"loguniform": [1e-5, 10.0]}}
GOOD = (0.01, 1.0)


@pytest.fixture
def config(write_config: Callable[..., Path]) -> Path:
    """A search of 8 trials over six decades of learning rates, of which two are good; two run at a time."""
    section = {"trials": 8, "space": SPACE, "grace": 2, "per_trial": {"cpu": ray_cpus() / 2}}
    return write_config(**SGD, tune=section, trainer={"max_epochs": 12})


def ray_cpus() -> int:
    """Count the processors that Ray finds on this machine, on which it depends what a search comes to."""
    from ray._private.utils import get_num_cpus

    return int(get_num_cpus())


def found_rate(folder: Path) -> float:
    return float(load_config(folder / "best.yaml").optimizer.kwargs["lr"])


def test_the_best_learning_rate_is_found_and_half_of_the_trials_end_early(
    config: Path, tmp_path: Path, cli: Cli
) -> None:
    done = cli("tune", "-c", config)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "tiny_tune"
    table = pd.read_csv(folder / "trials.csv")
    assert len(table) == 8
    assert GOOD[0] < found_rate(folder) < GOOD[1]
    early = table["epochs"] < 12
    assert early.sum() >= 4
    assert set(table["state"][early]) <= {"stopped", "failed"}
    poor = table[(table[RATE] < 0.001) & (table["trial"] > 2)]
    assert (poor["epochs"] < 12).all()


def test_two_machines_of_a_cluster_run_the_same_search(config: Path, tmp_path: Path, cli: Cli) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        done = cli("tune", "-c", config, "tune.per_trial.cpu=1", "--address", cluster.address)
        assert done.returncode == 0, done.stderr
        search = read_search(tmp_path / "runs" / "tiny_tune")
        assert len(search.folder.noted()) == 8
        assert all(trial.ended for trial in search.folder.noted())
        assert GOOD[0] < found_rate(search.folder.path) < GOOD[1]
        assert overlap(search), "each machine has one processor, so trials side by side are on both"
    finally:
        cluster.shutdown()


def overlap(search: Search) -> bool:
    """Tell whether two trials were at work at the same time."""
    spans = []
    for trial in search.folder.noted():
        log = search.folder.run(trial).log.read_text()
        times = [datetime.fromisoformat(text) for text in re.findall(r"^(\d\S+ \S+)  ", log, re.MULTILINE)]
        spans.append((times[0], times[-1]))
    return any(a[0] < b[1] and b[0] < a[1] for i, a in enumerate(spans) for b in spans[:i])


@pytest.fixture
def started(config: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a search in a process of its own, which the test ends."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log.txt").open("ab") as log:
            command = [sys.executable, "-m", "trainlib", "tune", "-c", str(config), *arguments]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def states(folder: Path) -> list[str]:
    try:
        return [trial.state for trial in read_search(folder).folder.noted()]
    except Exception:
        return []


def content_of(folder: Path, trials: list[str]) -> dict[str, tuple[int, str]]:
    """Return time and hash of every file of some trials."""
    files = [path for name in trials for path in sorted((folder / name).rglob("*")) if path.is_file()]
    return {str(file): (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_keeps_what_is_finished_and_is_continued(
    started: Callable[..., subprocess.Popen[bytes]], config: Path, tmp_path: Path, cli: Cli, number: signal.Signals
) -> None:
    folder = tmp_path / "runs" / "tiny_tune"
    process = started()
    wait_until(lambda: sum(state in ("finished", "stopped") for state in states(folder)) >= 2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(60) == (-number if number == signal.SIGKILL else 128 + number)
    _, alive = psutil.wait_procs(children, timeout=90)
    assert alive == [], "processes of Ray are left"
    if number != signal.SIGKILL:
        assert "--resume" in (tmp_path / "log.txt").read_text()
    ended = [trial.name for trial in read_search(folder).folder.noted() if trial.state in ("finished", "stopped")]
    before = content_of(folder, ended)
    assert len(ended) < 8
    done = cli("tune", "-c", config, "--resume")
    assert done.returncode == 0, done.stderr
    assert content_of(folder, ended) == before
    assert len(states(folder)) == 8
    assert all(state in ("finished", "stopped", "failed") for state in states(folder))
    assert GOOD[0] < found_rate(folder) < GOOD[1]
    assert not (folder / ".ray").exists()


def test_a_population_hands_on_weights_with_other_learning_rates(
    write_config: Callable[..., Path], tmp_path: Path, cli: Cli
) -> None:
    section = {"trials": 4, "space": SPACE, "scheduler": "pbt", "grace": 2, "per_trial": {"cpu": ray_cpus() / 2}}
    done = cli("tune", "-c", write_config(**SGD, tune=section, trainer={"max_epochs": 10}))
    assert done.returncode == 0, done.stderr
    search = read_search(tmp_path / "runs" / "tiny_tune")
    trials = search.folder.noted()
    heirs = [trial for trial in trials if trial.inherited is not None]
    assert heirs
    table = pd.read_csv(search.folder.trials, index_col="trial")
    for trial in trials:
        run = search.folder.run(trial)
        assert rate_of(run.last) == trial.parameters[RATE] == table[RATE][trial.number]
        assert list(pd.read_csv(run.metrics)["epoch"]) == list(range(10))
    assert found_rate(search.folder.path) == ranked(search, outcomes(search))[0].trial.parameters[RATE]
    for heir in heirs:
        [donor] = [trial for trial in trials if trial.number == heir.inherited]
        if donor.inherited is not None:
            continue  # its own beginning and settings have been replaced too
        assert heir.parameters != donor.parameters
        first = [pd.read_csv(search.folder.run(trial).metrics)["valid/dice"][0] for trial in (heir, donor)]
        assert first[0] == first[1], "the figures of the epochs that led to the weights came with them"


def test_what_a_trial_takes_over_is_still_there_when_copies_are_many_epochs_apart(
    write_config: Callable[..., Path], tmp_path: Path, cli: Cli
) -> None:
    rates = {RATE: {"loguniform": [0.001, 1.0]}}
    section = {"trials": 4, "space": rates, "scheduler": "pbt", "grace": 7, "per_trial": {"cpu": ray_cpus() / 2}}
    done = cli("tune", "-c", write_config(**SGD, tune=section, trainer={"max_epochs": 29}))
    assert done.returncode == 0, done.stderr
    search = read_search(tmp_path / "runs" / "tiny_tune")
    trials = search.folder.noted()
    assert [(trial.state, trial.error) for trial in trials] == [("finished", "")] * 4
    assert any(trial.inherited is not None for trial in trials)
    assert all(rate_of(search.folder.run(trial).last) == trial.parameters[RATE] for trial in trials)


def rate_of(checkpoint: Path) -> float:
    """Return the learning rate that a checkpoint was trained with."""
    return float(torch.load(checkpoint, weights_only=True)["optimizer_states"][0]["param_groups"][0]["lr"])
