"""Check that the machines of a cluster see what a trial needs, before any trial begins."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainlib.config.schema import Config
from trainlib.config.tune import TuneSection
from trainlib.config.varied import vary
from trainlib.data.splits import SPLITS_OF, csv_of
from trainlib.errors import ConfigError, Problem
from trainlib.files import write_text
from trainlib.search_folder import Search
from trainlib.tune.space import Space


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
    """Ask every machine of a cluster whether it sees data, patches and the folder of the search.

    trainlib itself is sent to the workers.

    Raises:
        ConfigError: A machine lacks something.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = search.folder.path / ".seen"
    write_text(token, secrets.token_hex(8))
    wanted = {key: str(path) for key, path in _paths(search.config)}
    problems: list[Problem] = []
    try:
        probes = {}
        for node in ray.nodes():
            if node["Alive"]:
                strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                probe = ray.remote(num_cpus=0, scheduling_strategy=strategy)(_unseen)
                probes[node["NodeManagerAddress"]] = probe.remote(str(token), token.read_text("utf-8"), wanted)
        for address, probe in probes.items():
            for key in ray.get(probe, timeout=300):
                path = wanted.get(key, str(search.folder.path))
                text = f"{key}: the machine {address} does not see {path}. Put it on a disk that all machines share."
                problems.append(Problem(text))
    finally:
        token.unlink(missing_ok=True)
    if problems:
        raise ConfigError(problems)


def _unseen(token: str, content: str, wanted: dict[str, str]) -> list[str]:
    """Return the keys of what this machine does not see."""
    try:
        seen = Path(token).read_text(encoding="utf-8") == content
    except OSError:
        seen = False
    return ([] if seen else ["run.root"]) + [key for key, path in wanted.items() if not os.path.exists(path)]


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
