"""With `model.compile` torch compiles the network of a training, and nothing else changes.

The backend `eager` traces the network as any other does, and computes as without; that of torch itself needs a C++
compiler and half a minute.
"""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from trainlib import Config, fit, load_config, predict
from trainlib.checkpoints.checkpoint import read_checkpoint
from trainlib.config.compiling import CompileSection
from trainlib.errors import InputError, TrainlibError
from trainlib.folders.results import Run
from trainlib.tasks import base
from trainlib.tasks.compiling import CompilerError, compile_network

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]
MODEL = {"UNet": {"channels": [4, 8], "strides": [2], "num_res_units": 1}}
# Windows of 16 x 16 x 8 in volumes of 16 x 16 x 10: two of them, so that the last batch of a case is smaller.
INFERER = {"SlidingWindowInferer": {"overlap": 0.5, "sw_batch_size": 3}}
CPU = torch.device("cpu")


# An optimizer that does not magnify small differences.
STEADY: dict[str, Any] = {"optimizer": {"SGD": {"lr": 0.01}}, "scheduler": None}


def trained(write_config: WriteConfig, name: str, compiled: Any, **sections: Any) -> Run:
    model = MODEL | ({"compile": compiled} if compiled else {}) | sections.pop("model", {})
    config = write_config(f"{name}.yaml", model=model, run={"name": name}, inferer=INFERER, **STEADY, **sections)
    return fit(load_config(config))


@pytest.fixture
def compiled_networks(monkeypatch: pytest.MonkeyPatch) -> list[torch.nn.Module]:
    networks: list[torch.nn.Module] = []

    def watched(network: torch.nn.Module, settings: CompileSection, device: torch.device) -> None:
        compile_network(network, settings, device)
        networks.append(network)

    monkeypatch.setattr(base, "compile_network", watched)
    return networks


def test_a_compiled_training_is_the_plain_one(
    write_config: WriteConfig, compiled_networks: list[torch.nn.Module]
) -> None:
    plain = trained(write_config, "plain", None, model={"freeze": ["model.0.conv.unit0"]})
    compiled = trained(write_config, "compiled", {"backend": "eager"}, model={"freeze": ["model.0.conv.unit0"]})
    assert [network._compiled_call_impl is not None for network in compiled_networks] == [True]
    one, other = (read_checkpoint(run.folder.last) for run in (plain, compiled))
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(other["state_dict"][name], value)
    config = load_config(compiled.folder.config, ["trainer.max_epochs=3", "model.compile.dynamic=true"])
    assert fit(config, ckpt_path=compiled.folder.last).folder.path == compiled.folder.path
    assert len(compiled_networks) == 2


def test_evaluations_of_their_own_need_no_compiler(
    write_config: WriteConfig, tmp_path: Path, compiled_networks: list[torch.nn.Module]
) -> None:
    run = trained(write_config, "later", {"backend": "eager"}, trainer={"max_epochs": 1})
    config = load_config(run.folder.config, ["model.compile.backend=absent"])
    assert len(list(predict(config, run.checkpoint, out=tmp_path / "out").glob("*.nii.gz"))) == 3
    assert len(compiled_networks) == 1  # that of the training


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backend": "nonsense"}, "InvalidBackend: Invalid backend: 'nonsense'"),
        ({"options": {"nonsense": 1}}, "RuntimeError: Unexpected optimization option nonsense"),
    ],
)
def test_what_torch_refuses_is_told_before_the_first_epoch(settings: dict[str, Any], said: str) -> None:
    network = torch.nn.Linear(1, 1)
    with pytest.raises(InputError) as caught:
        compile_network(network, CompileSection.model_validate(settings), CPU)
    text = str(caught.value)
    assert text.startswith(f"model.compile: torch cannot compile here: {said}")
    assert text.endswith("Set it to true, which asks for nothing special, or to false.")
    assert len(text) < 400
    assert caught.value.exit_status == 2
    assert network._compiled_call_impl is None


@pytest.mark.slow
def test_without_a_compiler_one_sentence_tells_it(cli: Cli, write_config: WriteConfig, tmp_path: Path) -> None:
    config = write_config(model=MODEL | {"compile": True})
    ended = cli("fit", "-c", config, CXX="/nowhere/g++", TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "cache"))
    assert ended.returncode == 2
    [line] = [line for line in ended.stderr.splitlines() if "model.compile" in line]
    assert "torch cannot compile here: InvalidCxxCompiler: No working C++ compiler found" in line
    assert line.endswith("It needs a C++ compiler, such as g++. Without one set it to false.")


@pytest.mark.slow
def test_nothing_that_compiles_is_imported_without_it(write_config: WriteConfig) -> None:
    config = write_config(trainer={"max_epochs": 1})
    code = (
        "import sys; from trainlib import fit, load_config; "
        f"fit(load_config({str(config)!r})); print('torch._inductor.compile_fx' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert ended.stdout.splitlines()[-1] == "False"


def test_without_a_compiler_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "/nowhere/g++"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with pytest.raises(InputError, match=r"No working C\+\+ compiler found.* It needs a C\+\+ compiler, such as g\+\+"):
        compile_network(torch.nn.Linear(1, 1), CompileSection(), CPU)


Backend = Callable[[str, Callable[..., Any]], None]


@pytest.fixture
def backend() -> Iterator[Backend]:
    """Let torch know a backend by name for the test."""
    names: list[str] = []

    def known(name: str, compiles: Callable[..., Any]) -> None:
        torch._dynamo.register_backend(compiles, name=name)
        names.append(name)

    yield known
    for name in names:
        torch._dynamo.backends.registry._BACKENDS.pop(name)
        torch._dynamo.backends.registry._COMPILER_FNS.pop(name)


class Small(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(width, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(values)
        return found


def test_the_tenth_network_of_a_process_is_compiled_as_the_first(backend: Backend) -> None:
    compiled: list[torch.fx.GraphModule] = []

    def counted(graph: torch.fx.GraphModule, _: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    backend("counted", counted)
    for width in range(1, 11):
        network = Small(width)
        compile_network(network, CompileSection(backend="counted"), CPU)
        before = len(compiled)
        network(torch.ones(2, width))
        assert len(compiled) == before + 1


BROKEN = """
import torch
from monai.networks.nets import UNet
class Broken(UNet):
    def forward(self, image):
        {line}
        return super().forward(image)
def get_model(config):
    return Broken(3, 1, 3, [4, 8], [2])
"""


@pytest.mark.parametrize(
    ("line", "settings", "remedy"),
    [
        ("torch._dynamo.graph_break()", {"fullgraph": True},
         "Set fullgraph to false, so that those parts are compiled that can be, or model.compile to false."),
        ("pass", {"backend": "failing"}, "Set it to true, which asks for nothing special, or to false."),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_compiled_is_told_without_a_case(
    write_config: WriteConfig, tmp_path: Path, backend: Backend, line: str, settings: Any, remedy: str
) -> None:
    def failing(graph: Any, _: Any) -> Any:
        if len(graph.graph.nodes) > 8:  # more than there are in the attempt before the first epoch
            raise RuntimeError("no such kernel")
        return graph.forward

    backend("failing", failing)
    script = tmp_path / "broken.py"
    script.write_text(BROKEN.format(line=line))
    compiled = {"backend": "eager"} | settings
    config = write_config(model=MODEL | {"compile": compiled}, patch={"model": str(script)}, progress=None)
    with pytest.raises(CompilerError) as caught:
        fit(load_config(config))
    text = str(caught.value)
    assert text.startswith("model.compile: torch cannot compile this network: ")
    assert text.endswith(remedy)
    assert ".csv" not in text
    assert [key for key, _ in caught.value.mistakes] == [("model", "compile")]


def test_a_compiled_network_that_fails_on_a_case_names_it(write_config: WriteConfig, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(BROKEN.format(line="image = torch.cat([image, image], 1) if self.training else image"))
    model = MODEL | {"compile": {"backend": "eager"}}
    config = write_config(model=model, patch={"model": str(script)}, progress=None)
    with pytest.raises(TrainlibError, match=r"^train\.csv:\d .*: model: fails") as caught:
        fit(load_config(config))
    assert not isinstance(caught.value, CompilerError)


def test_keywords_are_those_of_torch() -> None:
    made = CompileSection.model_validate({"options": {"max_autotune": True}})
    assert torch.compile(torch.nn.ReLU(), **made.keywords()) is not None
    assert made.keywords()["options"] == {"max_autotune": True}
    assert "mode" not in made.keywords()
    assert set(CompileSection.model_fields) < set(inspect.signature(torch.compile).parameters)


def test_what_is_compiled_says_the_config() -> None:
    data = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ"]}
    kept = [
        Config.model_validate({"data": data, "model": MODEL | {"compile": value}}).model.compile
        for value in (None, False, True, {"mode": "max-autotune"})
    ]
    assert kept == [None, None, CompileSection(), CompileSection(mode="max-autotune")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++")
def test_compiled_by_torch_itself_the_losses_are_close(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    plain = trained(write_config, "plain", None)
    compiled = trained(write_config, "compiled", True, model={"channels_last": True})
    one, other = (read_checkpoint(run.folder.last)["state_dict"] for run in (plain, compiled))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-4)
