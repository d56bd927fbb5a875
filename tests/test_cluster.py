"""Ray on this machine, and a running cluster of two machines that is joined."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ensemble.conftest import make_config
from trainlib.cluster import cluster, share
from trainlib.ensemble.ensemble import fit_ensemble
from trainlib.errors import ConfigError, InputError, Interrupted
from trainlib.system.signals import interruptible

pytest.importorskip("ray", reason="needs the extra `tune`")


def machines(*resources: dict[str, float]) -> Any:
    """Something that tells of machines as the package ray does."""
    nodes = [{"Alive": True, "Resources": found} for found in resources]
    return SimpleNamespace(nodes=lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 64}}])


@pytest.mark.parametrize(
    ("resources", "parallel", "cpus", "gpus"),
    [
        ([{"CPU": 2}], 2, 1, 0),
        ([{"CPU": 2}], 3, 0.5, 0),
        ([{"CPU": 8}], 3, 2, 0),
        ([{"CPU": 8}], 1, 8, 0),
        ([{"CPU": 16, "GPU": 4}], 4, 4, 1),
        ([{"CPU": 16, "GPU": 4}], 2, 8, 1),
        ([{"CPU": 16, "GPU": 1}], 3, 5, 0.3333),
        ([{"CPU": 4}, {"CPU": 4}], 3, 2, 0),
        ([{"CPU": 1}, {"CPU": 1}], 3, 0.5, 0),
        ([{"CPU": 8}, {"CPU": 2}], 2, 4, 0),
    ],
)
def test_each_training_gets_an_equal_share_that_one_machine_has(
    resources: list[dict[str, float]], parallel: int, cpus: float, gpus: float
) -> None:
    assert share(machines(*resources), parallel) == {"num_cpus": cpus, "num_gpus": gpus}


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"The package ray is missing.*pip install 'trainlib\[tune\]'"), cluster():
        raise AssertionError("no Ray, no block")


def test_an_address_without_a_cluster_is_told() -> None:
    with (
        pytest.raises(ConfigError, match=r"--address 127\.0\.0\.1:1: there is no cluster to join"),
        cluster("127.0.0.1:1"),
    ):
        raise AssertionError("no cluster, no block")


@pytest.mark.parametrize("address", ["cluster", "10.0.0.1", ":6379", "host:port"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(ConfigError, match=rf"--address {address}: expected HOST:PORT, such as"), cluster(address):
        raise AssertionError("no cluster, no block")


def test_ray_of_this_machine_lives_for_the_block_alone() -> None:
    import ray

    with cluster(cpus=2) as connected:
        task = connected.remote(lambda: importlib.import_module("os").getpid())
        assert connected.get(task.remote()) != os.getpid()
        assert connected.cluster_resources()["CPU"] == 2
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        own = Path(connected._private.worker._global_node.get_session_dir_path())
        assert own.is_dir()
    assert not ray.is_initialized()
    assert not own.exists(), "logs of Ray are left"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_while_members_are_waited_for(number: int) -> None:
    def wait(ray: Any) -> None:
        threading.Timer(0.5, os.kill, (os.getpid(), number)).start()
        member = ray.remote(lambda: importlib.import_module("time").sleep(60)).remote()
        while not ray.wait([member], timeout=1.0)[0]:
            pass

    with pytest.raises(Interrupted) as error, interruptible(), cluster(cpus=1) as connected:
        wait(connected)
    assert error.value.exit_status == 128 + number


def test_a_signal_interrupts_while_ray_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**_: Any) -> None:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))  # as Ray does
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(Interrupted) as error, interruptible(), cluster():
        raise AssertionError("interrupted before")
    assert error.value.exit_status == 143


@pytest.fixture
def two_machines() -> Iterator[Any]:
    """A cluster of two machines, both of them this one."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    found = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()


@pytest.mark.slow
def test_a_running_cluster_trains_the_members_with_the_code_of_this_one(
    two_machines: Any, tmp_path: Path, phantom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # workers on this machine look into the working directory first
    config = make_config(tmp_path, phantom, trainer={"max_epochs": 1})
    ensemble, _ = fit_ensemble(config, folds=2, parallel=2, address=two_machines.address)
    for name in ensemble.members:
        assert (ensemble.folder.member(name).path / "member.json").is_file()
    with cluster(two_machines.address) as connected:
        place = connected.get(connected.remote(lambda: importlib.import_module("trainlib").__file__).remote())
        assert "py_modules" in place
    straight, _ = fit_ensemble(make_config(tmp_path / "b", phantom, trainer={"max_epochs": 1}), folds=2)
    assert ensemble.folder.cv.read_bytes() == straight.folder.cv.read_bytes()
    assert ensemble.folder.scores.read_bytes() == straight.folder.scores.read_bytes()
    with pytest.raises(InputError, match=r"optimizer\.AdamW\.lr is 5, but"):
        fit_ensemble(make_config(tmp_path, phantom, optimizer={"AdamW": {"lr": 5}}), folds=2)
