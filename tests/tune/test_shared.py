"""What the machines of a cluster must have and see is asked before a trial begins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray.exceptions

from tests.tune.helpers import RATE, make_search
from trainlib.config.tune import TuneSection
from trainlib.errors import ConfigError
from trainlib.tune.shared import _paths, answer, check_resources, check_shared, slots, versions

MACHINES = [{"CPU": 8.0, "GPU": 1.0}, {"CPU": 4.0}]


def ray_of(*machines: dict[str, float]) -> Any:
    nodes = [{"Alive": True, "Resources": machine} for machine in machines]
    return SimpleNamespace(nodes=lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}])


def section(cpu: float, gpu: float) -> TuneSection:
    return TuneSection(space={RATE: {"uniform": [0, 1]}}, per_trial={"cpu": cpu, "gpu": gpu})  # type: ignore[arg-type]


def test_trials_are_counted_machine_by_machine() -> None:
    found = ray_of(*MACHINES)
    assert [slots(found, section(*demand)) for demand in ((1, 0), (3, 0), (8, 0), (1, 1), (2, 0.5))] == [12, 3, 1, 1, 2]


def test_more_than_any_machine_has_is_refused() -> None:
    found = ray_of(*MACHINES)
    check_resources(found, section(8, 1))
    with pytest.raises(ConfigError, match=r"tune.per_trial.cpu: expected at most 8, which a machine has, found 9"):
        check_resources(found, section(9, 0))
    with pytest.raises(ConfigError, match=r"tune.per_trial.gpu: expected at most 1, which a machine has, found 2"):
        check_resources(found, section(1, 2))
    apart = ray_of({"CPU": 1.0, "GPU": 1.0}, {"CPU": 4.0})
    with pytest.raises(ConfigError, match="no machine has that many processors and GPUs at once"):
        check_resources(apart, section(2, 1))


def test_a_machine_tells_what_it_does_not_see(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", [], space={RATE: {"uniform": [0, 1]}})
    wanted = {key: str(path) for key, path in _paths(search.config)}
    assert list(wanted) == ["data.root", "data.train_csv", "data.valid_csv"]
    token = tmp_path / "token"
    token.write_text("abc")
    assert answer(str(token), "abc", wanted)[0] == []
    assert answer(str(token), "other", wanted | {"patch.model": "/nowhere.py"})[0] == ["run.root", "patch.model"]
    assert answer(str(tmp_path / "none"), "abc", wanted)[0] == ["run.root"]


class Cluster:
    """Machines that answer as they are told; a probe is the number of its machine."""

    exceptions = ray.exceptions

    def __init__(self, *answers: Any) -> None:
        self.answers = answers

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "NodeID": "0" * 56, "NodeManagerAddress": f"10.0.0.{i}"} for i, _ in self._each()]

    def _each(self) -> Any:
        self.asked = iter(range(len(self.answers)))
        return enumerate(self.answers)

    def remote(self, **_: Any) -> Any:
        return lambda function: SimpleNamespace(remote=lambda *arguments: next(self.asked))

    def get(self, probe: int, timeout: float) -> Any:
        if isinstance(self.answers[probe], Exception):
            raise self.answers[probe]
        return self.answers[probe]


def test_what_machines_lack_is_told_of_all_at_once(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", [], space={RATE: {"uniform": [0, 1]}})
    ours = versions()
    machines = Cluster(
        ([], ours),
        (["data.root", "run.root"], ours),
        ([], ours | {"Python": "3.9", "torch": "1.13.1", "monai": ""}),
        ray.exceptions.GetTimeoutError("it took too long"),
        ray.exceptions.RayTaskError(
            "answer", "Traceback\nModuleNotFoundError: No module named 'pydantic'", ImportError()
        ),
    )
    with pytest.raises(ConfigError) as error:
        check_shared(machines, search)
    shared = "Put it on a disk that all machines share."
    same = "Install the same everywhere."
    assert [problem.text for problem in error.value.problems] == [
        f"data.root: the machine 10.0.0.1 does not see {search.config.data.root}. {shared}",
        f"run.root: the machine 10.0.0.1 does not see {search.folder.path}. {shared}",
        f"The machine 10.0.0.2 has Python 3.9, this one has {ours['Python']}. {same}",
        f"The machine 10.0.0.2 has torch 1.13.1, this one has {ours['torch']}. {same}",
        f"The machine 10.0.0.2 has monai none, this one has {ours['monai']}. {same}",
        "The machine 10.0.0.3 has not answered within 120 s. Take it out of the cluster.",
        "trainlib cannot be run on the machine 10.0.0.4: ModuleNotFoundError: No module named 'pydantic'.",
    ]
    assert not (search.folder.path / ".seen").exists()


def test_machines_that_lack_nothing_are_accepted(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", [], space={RATE: {"uniform": [0, 1]}})
    check_shared(Cluster(([], versions()), ([], versions())), search)


def test_versions_are_those_that_are_imported_whatever_device_they_are_for() -> None:
    import torch

    assert versions()["torch"] == torch.__version__.partition("+")[0]
    assert versions()["Python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
