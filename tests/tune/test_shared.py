"""What the machines of a cluster must have and see is asked before a trial begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tune.helpers import RATE, make_search
from trainlib.config.tune import TuneSection
from trainlib.errors import ConfigError
from trainlib.tune.shared import _paths, _unseen, check_resources, slots

MACHINES = [{"CPU": 8.0, "GPU": 1.0}, {"CPU": 4.0}]


def ray_of(*machines: dict[str, float]) -> Any:
    nodes = [{"Alive": True, "Resources": machine} for machine in machines]
    return SimpleNamespace(nodes=lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}])


def section(cpu: float, gpu: float) -> TuneSection:
    return TuneSection(space={RATE: {"uniform": [0, 1]}}, per_trial={"cpu": cpu, "gpu": gpu})  # type: ignore[arg-type]


def test_trials_are_counted_machine_by_machine() -> None:
    ray = ray_of(*MACHINES)
    assert [slots(ray, section(*demand)) for demand in ((1, 0), (3, 0), (8, 0), (1, 1), (2, 0.5))] == [12, 3, 1, 1, 2]


def test_more_than_any_machine_has_is_refused() -> None:
    ray = ray_of(*MACHINES)
    check_resources(ray, section(8, 1))
    with pytest.raises(ConfigError, match=r"tune.per_trial.cpu: expected at most 8, which a machine has, found 9"):
        check_resources(ray, section(9, 0))
    with pytest.raises(ConfigError, match=r"tune.per_trial.gpu: expected at most 1, which a machine has, found 2"):
        check_resources(ray, section(1, 2))
    apart = ray_of({"CPU": 1.0, "GPU": 1.0}, {"CPU": 4.0})
    with pytest.raises(ConfigError, match="no machine has that many processors and GPUs at once"):
        check_resources(apart, section(2, 1))


def test_a_machine_tells_what_it_does_not_see(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", [], space={RATE: {"uniform": [0, 1]}})
    wanted = {key: str(path) for key, path in _paths(search.config)}
    assert list(wanted) == ["data.root", "data.train_csv", "data.valid_csv"]
    token = tmp_path / "token"
    token.write_text("abc")
    assert _unseen(str(token), "abc", wanted) == []
    assert _unseen(str(token), "other", wanted | {"patch.model": "/nowhere.py"}) == ["run.root", "patch.model"]
    assert _unseen(str(tmp_path / "none"), "abc", wanted) == ["run.root"]
