"""How many processes a run has, and whether those that were started are those that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainlib import load_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.processes import Place
from trainlib.start import alone, as_started, in_one_process, started
from trainlib.trainer import device_count

WriteConfig = Callable[..., Path]


def place(size: int = 4, local_size: int = 2) -> Place:
    return Place(rank=1, size=size, local_rank=1, local_size=local_size, node=0, address="a", port=1)


@pytest.fixture
def asking(write_config: WriteConfig) -> Callable[..., Config]:
    """A config that asks for devices."""
    return lambda **trainer: load_config(write_config(trainer={"accelerator": "cpu", **trainer}))


@pytest.mark.parametrize(("devices", "count"), [(None, 1), (1, 1), ("1", 1), ("auto", 1), (2, 2), ("3", 3)])
def test_devices_are_counted_as_lightning_does(asking: Callable[..., Config], devices: Any, count: int) -> None:
    assert device_count(asking(devices=devices)) == count


def test_devices_that_lightning_refuses_are_told_in_a_sentence(asking: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"^trainer: lightning\.Trainer refuses these arguments: .*0"):
        device_count(asking(devices=0))


@pytest.mark.parametrize("given", [{}, {"devices": "auto"}, {"devices": 2, "num_nodes": 2}])
def test_what_is_left_out_is_filled_in_as_the_processes_were_started(
    asking: Callable[..., Config], given: dict[str, Any]
) -> None:
    trainer = as_started(asking(**given), place()).trainer
    assert (trainer["devices"], trainer["num_nodes"]) == (2, 2)


@pytest.mark.parametrize(
    ("given", "here", "text"),
    [
        (
            {"devices": 3},
            place(),
            "trainer.devices: 3 processes for each machine are asked for, but 2 were started. Set it to 2, or leave it",
        ),
        (
            {"num_nodes": 3},
            place(),
            "trainer.num_nodes: 3 machines are asked for, but processes were started on 2. Set it to 2",
        ),
        ({}, place(size=5), "5 processes were started on 2 machines. Start equally many on each machine."),
    ],
)
def test_processes_that_were_not_asked_for_are_refused(
    asking: Callable[..., Config], given: dict[str, Any], here: Place, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        as_started(asking(**given), here)
    assert str(caught.value).startswith(text)


def _trainer(config: Config, word: str) -> tuple[dict[str, Any], str]:
    return config.trainer, word


def test_one_process_is_this_one(asking: Callable[..., Config]) -> None:
    config = asking(devices=1)
    trainer, word = started(_trainer, config, word="here")
    assert trainer is config.trainer
    assert word == "here"


def test_a_look_for_mistakes_takes_one_process(asking: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = in_one_process(asking(devices=2, num_nodes=1, strategy="ddp")).trainer
    assert trainer == {"max_epochs": 2, "accelerator": "cpu"}
    for name, value in place().variables().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"^--debug takes one process\."):
        in_one_process(asking())


@pytest.mark.parametrize("given", [{}, {"devices": 1}, {"devices": "auto"}, {"num_nodes": 1}, {"num_nodes": None}])
def test_a_command_of_many_models_takes_what_comes_to_one_device(
    asking: Callable[..., Config], given: dict[str, Any]
) -> None:
    alone(asking(**given), "trainlib ensemble")


def test_a_list_of_one_device_is_one_device(asking: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    # All that Lightning asks of the machine, be there GPUs or not.
    monkeypatch.setattr("lightning.pytorch.accelerators.cuda.num_cuda_devices", lambda: 2)
    monkeypatch.setattr("lightning.fabric.accelerators.cuda._get_all_visible_cuda_devices", lambda: [0, 1])
    config = asking(accelerator="gpu", devices=[0])
    alone(config, "trainlib ensemble")
    with pytest.raises(ConfigError, match=r"trainer\.devices: found 'auto', which are 2 here, but `trainlib ensemble`"):
        alone(config.model_copy(update={"trainer": config.trainer | {"devices": "auto"}}), "trainlib ensemble")


def test_a_command_of_many_models_refuses_several_devices_and_machines_at_once(asking: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError) as error:
        alone(asking(devices=2, num_nodes=3), "trainlib tune")
    assert str(error.value).splitlines() == [
        "trainer.devices: found 2, but `trainlib tune` gives each model one device. Set it to 1, or leave it out.",
        "trainer.num_nodes: found 3, but `trainlib tune` gives each model one device. Set it to 1, or leave it out.",
    ]


def test_a_command_of_many_models_is_refused_under_torchrun(
    asking: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainlib.start.place", place)
    with pytest.raises(ConfigError, match=r"`trainlib tune` takes one process\. Start it without torchrun or srun"):
        alone(asking(), "trainlib tune")
