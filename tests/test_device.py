"""Which precision a run has where its config does not say, and where that is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.plugins import DoublePrecision

from trainlib import Config, fit, load_config, trainer
from trainlib.bundle.inference import mixed_precision
from trainlib.check.step_memory import step_memory
from trainlib.device import precision, tell_precision
from trainlib.memory import explain_memory

WriteConfig = Callable[..., Path]
DATA = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ"]}


def make(**arguments: Any) -> Config:
    return Config.model_validate({"data": DATA, "trainer": {"max_epochs": 1, **arguments}})


def pretend(monkeypatch: pytest.MonkeyPatch, *gpus: bool) -> None:
    """Let torch see GPUs, each with bfloat16 in hardware or only in software."""
    chosen = [0]

    def choose(index: int) -> Any:
        chosen[0] = index
        return nullcontext()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(gpus))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "device", choose)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or gpus[chosen[0]]
    )


@pytest.mark.parametrize(
    ("gpus", "arguments", "expected"),
    [
        ((), {}, "32-true"),
        ((True,), {}, "bf16-mixed"),
        ((True,), {"precision": None}, "bf16-mixed"),
        ((True,), {"accelerator": "gpu"}, "bf16-mixed"),
        ((True,), {"accelerator": "cpu"}, "32-true"),
        ((False,), {}, "32-true"),
        ((True, False), {}, "32-true"),
        ((True,), {"precision": "32-true"}, "32-true"),
        ((True,), {"precision": 16}, "16"),
        ((), {"precision": "bf16-mixed"}, "bf16-mixed"),
        ((True,), {"strategy": "ddp"}, "bf16-mixed"),
        ((True,), {"strategy": "fsdp"}, "32-true"),
        ((True,), {"strategy": "FSDP_cpu_offload"}, "32-true"),
        ((True,), {"plugins": [DoublePrecision()]}, "64-true"),
        ((True,), {"plugins": DoublePrecision()}, "64-true"),
        ((True,), {"plugins": [LightningEnvironment()]}, "bf16-mixed"),
    ],
)
def test_what_nobody_asked_for_follows_from_the_device(
    monkeypatch: pytest.MonkeyPatch, gpus: tuple[bool, ...], arguments: dict[str, Any], expected: str
) -> None:
    pretend(monkeypatch, *gpus)
    assert precision(make(**arguments)) == expected


@pytest.mark.parametrize(("dims", "cudnn", "expected"), [(3, 91002, "32-true"), (3, 91500, "bf16-mixed"),
                                                         (2, 91002, "bf16-mixed")])  # fmt: skip
def test_a_torch_that_is_slow_with_it_does_without(
    monkeypatch: pytest.MonkeyPatch, dims: int, cudnn: int, expected: str
) -> None:
    pretend(monkeypatch, True)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cu128")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: cudnn)
    assert precision(Config.model_validate({"data": DATA | {"spatial_dims": dims}})) == expected


def test_the_trainer_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trainer.make_trainer(make(), []).precision == "32-true"
    monkeypatch.setattr(trainer, "precision", lambda _: "bf16-mixed")
    assert trainer.make_trainer(make(), []).precision == "bf16-mixed"


def test_a_plugin_of_lightning_decides_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "precision", lambda _: "bf16-mixed")
    assert trainer.make_trainer(make(plugins=[DoublePrecision()]), []).precision == "64-true"


def test_it_is_told_only_where_it_was_chosen(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "trainlib")
    tell_precision(make())
    pretend(monkeypatch, True)
    tell_precision(make(precision="bf16-mixed"))
    tell_precision(make(plugins=[DoublePrecision()]))
    tell_precision(make(strategy="fsdp"))
    assert caplog.messages == []
    tell_precision(make())
    assert caplog.messages == ["trainer.precision: bf16-mixed, for the GPU has bfloat16; 32-true computes as on a CPU."]


def test_remedies_and_estimates_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory.")
    assert "set trainer.precision to 16-mixed (now 32-true)" in str(explain_memory(error, make()))
    full = step_memory(make(), (32, 32, 32), 2)
    pretend(monkeypatch, True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**34, 2**34))
    half = step_memory(make(), (32, 32, 32), 2)
    assert full is not None
    assert half is not None
    assert (half.device, half.available) == ("gpu", 2**34)
    assert half.activations < 0.75 * full.activations
    assert "trainer.precision" not in str(explain_memory(error, make()))


def test_a_bundle_decides_where_it_runs() -> None:
    chosen = mixed_precision(make())
    assert eval(chosen["amp"].removeprefix("$"), {"torch": torch}) is torch.cuda.is_available()
    assert chosen["amp_kwargs"] == {"dtype": "$torch.bfloat16"}
    for arguments in ({"precision": "32-true"}, {"accelerator": "cpu"}, {"strategy": "fsdp"}):
        assert mixed_precision(make(**arguments)) == {}


@pytest.mark.parametrize("version", ["2.9.1+cu128", "2.10.0"])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("cudnn", [None, 91002, 91500])
def test_a_bundle_decides_as_a_training(
    monkeypatch: pytest.MonkeyPatch, version: str, dims: int, cudnn: int | None
) -> None:
    pretend(monkeypatch, True)
    monkeypatch.setattr(torch, "__version__", version)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: cudnn)
    config = Config.model_validate({"data": DATA | {"spatial_dims": dims}})
    rule = mixed_precision(config)["amp"].removeprefix("$")
    assert eval(rule, {"torch": torch}) is (precision(config) == "bf16-mixed")


def test_the_snapshot_notes_the_precision(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(trainer={"max_epochs": 1})))
    environment = json.loads((run.folder.snapshot / "environment.json").read_text())
    assert environment["precision"] == "32-true"
