"""Check that the machines of a cluster see what a trial needs, before any trial begins."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from trainlib.config.schema import Config
from trainlib.config.tune import TuneSection
from trainlib.config.varied import vary
from trainlib.data.splits import SPLITS_OF, csv_of
from trainlib.errors import ConfigError, Problem
from trainlib.folders.searches import Search
from trainlib.system.files import write_text
from trainlib.tune.space import Space

PATIENCE = 120.0
"""Seconds within which all machines must answer; a worker imports trainlib first."""
_PACKAGES = ("torch", "monai", "lightning")


def check_resources(ray: Any, tune: TuneSection) -> None:
    """Refuse a trial that no machine has room for, for which Ray would wait without end.

    Raises:
        ConfigError: There is none.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    demand = {"cpu": tune.per_trial.cpu, "gpu": tune.per_trial.gpu}
    if any(all(machine.get(name.upper(), 0) >= amount for name, amount in demand.items()) for machine in machines):
        return
    problems = []
    for name, amount in demand.items():
        most = max((machine.get(name.upper(), 0) for machine in machines), default=0)
        if amount > most:
            text = f"tune.per_trial.{name}: expected at most {most:g}, which a machine has, found {amount:g}."
            problems.append(Problem(text))
    text = "tune.per_trial: no machine has that many processors and GPUs at once."
    raise ConfigError(problems or [Problem(text)])


def slots(ray: Any, tune: TuneSection) -> int:
    """Count the trials that fit on the machines at a time."""
    count = 0
    for node in ray.nodes():
        if node["Alive"]:
            fits = [node["Resources"].get("CPU", 0) // tune.per_trial.cpu]
            fits += [node["Resources"].get("GPU", 0) // tune.per_trial.gpu] if tune.per_trial.gpu else []
            count += int(min(fits))
    return max(1, count)


def check_shared(ray: Any, search: Search) -> None:
    """Ask every machine of a cluster whether it sees data, patches and the folder of the search, and what is installed.

    trainlib itself is sent to the workers.

    Raises:
        ConfigError: A machine lacks something, or does not answer.
    """
    token = search.folder.path / ".seen"
    write_text(token, secrets.token_hex(8))
    try:
        problems = list(_lacking(ray, search, token))
    finally:
        token.unlink(missing_ok=True)
    if problems:
        raise ConfigError(problems)


def _lacking(ray: Any, search: Search, token: Path) -> Iterator[Problem]:
    """Tell what each machine lacks; all are asked at once."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    wanted, ours = {key: str(path) for key, path in _paths(search.config)}, versions()
    probes = {}
    for node in ray.nodes():
        if node["Alive"]:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            probe = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=strategy)(answer)
            probes[node["NodeManagerAddress"]] = probe.remote(str(token), token.read_text("utf-8"), wanted)
    deadline = time.monotonic() + PATIENCE
    for address, probe in probes.items():
        try:
            unseen, theirs = ray.get(probe, timeout=max(0.1, deadline - time.monotonic()))
        except ray.exceptions.GetTimeoutError:
            yield Problem(f"The machine {address} has not answered within {PATIENCE:g} s. Take it out of the cluster.")
            continue
        except ray.exceptions.RayError as error:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            yield Problem(f"trainlib cannot be run on the machine {address}: {last.rstrip('.')}.")
            continue
        for key in unseen:
            path = wanted.get(key, str(search.folder.path))
            text = f"{key}: the machine {address} does not see {path}. Put it on a disk that all machines share."
            yield Problem(text)
        for name in (name for name in ours if ours[name] != theirs.get(name, "")):
            found = theirs.get(name) or "none"
            text = f"The machine {address} has {name} {found}, this one has {ours[name]}. Install the same everywhere."
            yield Problem(text)


def versions() -> dict[str, str]:
    """Return the versions of what decides the figures of a training; empty for what is not installed."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package).partition("+")[0]  # whatever device it was built for
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def answer(token: str, content: str, wanted: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the keys of what this machine does not see, and what it has installed."""
    try:
        seen = Path(token).read_text(encoding="utf-8") == content
    except OSError:
        seen = False
    unseen = ([] if seen else ["run.root"]) + [key for key, path in wanted.items() if not os.path.exists(path)]
    return unseen, versions()


def _paths(config: Config) -> Iterator[tuple[str, Path]]:
    """List the files that trials read, with the setting that names each."""
    assert config.tune is not None
    yield "data.root", Path(config.data.root)
    for split in SPLITS_OF["fit"]:
        if split != "test" and (csv := csv_of(config, split)):
            yield f"data.{split}_csv", config.data_path(csv)
    for key, values in Space(config.tune.space).extremes().items():
        for value in values if key.startswith("patch") else ():
            varied = vary(config, {key: value}).config
            if varied is not None:
                yield from _scripts(varied)
    yield from _scripts(config)


def _scripts(config: Config) -> Iterator[tuple[str, Path]]:
    for name, script in config.patch:
        if script:
            yield f"patch.{name}", Path(script)
