"""`model.weights` and `model.freeze`: what a training starts from, and what of it stays as it is."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import yaml

from trainlib import fit, load_config
from trainlib.build.check import check_components
from trainlib.build.components import build_model
from trainlib.build.freezing import freeze
from trainlib.checkpoints.starting import load_weights, read_weights, start_from_weights
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError
from trainlib.folders.results import Run

UNET = {"channels": [4, 8], "strides": [2], "num_res_units": 1, "dropout": 0.1}
DATA = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ", "lesion"]}
Write = Callable[..., Path]


def config_with(**model: Any) -> Config:
    return Config.model_validate({"data": DATA, "model": {"UNet": UNET, **model}})


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(7)
    return build_model(config_with())


def start(config: Config) -> dict[str, torch.Tensor]:
    torch.manual_seed(8)
    network = build_model(config)
    start_from_weights(network, config)
    return network.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one short epoch."""
    folder = tmp_path_factory.mktemp("trained")
    content = {
        "run": {"name": "first", "root": str(folder)},
        "data": {**DATA, "root": str(phantom), "num_workers": 0},
        "transforms": {"train": [{"RandSpatialCropd": {"roi_size": [16, 16, 8]}}]},
        "model": {"UNet": UNET},
        "trainer": {"max_epochs": 1, "limit_train_batches": 1},
        **dict.fromkeys(("emissions", "report", "progress")),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return fit(load_config(folder / "config.yaml"))


# Weights


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"epoch": 3, "model": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {"state_dict": {f"network._orig_mod.{name}": value for name, value in state.items()}},
        lambda state: {"network_weights": state, "init_args": {"plans": "x"}},
    ],
    ids=["plain", "lightning", "distributed", "compiled", "nnunet"],
)
def test_weights_are_found_wherever_other_tools_keep_them(
    network: torch.nn.Module, tmp_path: Path, wrap: Callable[[Any], Any]
) -> None:
    torch.save(wrap(network.state_dict()), tmp_path / "weights.pt")
    assert equal(start(config_with(weights=str(tmp_path / "weights.pt"))), network.state_dict())


@pytest.mark.parametrize("which", ["folder", "best", "last"])
def test_a_training_starts_from_a_run_or_one_of_its_checkpoints(trained: Run, which: str) -> None:
    path = trained.folder.path if which == "folder" else getattr(trained.folder, which)
    file = trained.folder.last if which == "last" else trained.folder.best
    state = torch.load(file, weights_only=True)["state_dict"]
    expected = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    assert equal(start(config_with(weights=str(path))), expected)


def test_layers_that_do_not_fit_are_listed_and_the_others_taken(
    network: torch.nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = network.state_dict()
    names = list(weights)
    missing, other = names[0], names[-1]
    del weights[missing]
    weights |= {other: torch.zeros(99), "head.weight": torch.zeros(2)}
    torch.save(weights, tmp_path / "weights.pt")
    with caplog.at_level(logging.INFO, logger="trainlib"):
        started = start(config_with(weights=str(tmp_path / "weights.pt"), freeze=["model.0"]))
    assert all(torch.equal(started[name], weights[name]) for name in names[1:-1])
    assert [record.getMessage() for record in caplog.records] == [
        f"model.weights: {len(names) - 2} of {len(names)} tensors from {tmp_path / 'weights.pt'}.",
        f"model.weights: {missing} is not in the file, and starts at random.",
        f"model.weights: {other} has shape (99,) in the file, {tuple(started[other].shape)} in the network, "
        "and starts at random.",
        "model.weights: head.weight is in the file and not in the network.",
        f"model.freeze: frozen at random values, for the file does not have them: {missing}.",
    ]


def test_what_is_loaded_names_what_was_taken(network: torch.nn.Module) -> None:
    result = load_weights(network, dict(network.state_dict()))
    assert (result.taken, result.misfits) == (list(network.state_dict()), [])


def test_a_file_of_which_nothing_fits_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"model.weights: nothing in .*weights.pt fits the network"):
        start(config_with(weights=str(tmp_path / "weights.pt")))


class Code:
    """What a pickle would run."""


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"no weights"), "cannot be read as a checkpoint.*torch has not written it"),
        (lambda path: torch.save({"epoch": 3}, path), "holds no weights: expected a state dict"),
        (lambda path: torch.save({"a": Code()}, path), "Code, which is code and no data; nothing of it was run"),
        (lambda path: path.mkdir(), "is no run folder with a checkpoint: it has no best.ckpt"),
        (lambda path: None, "there is no file or run folder"),
    ],
)
def test_what_holds_no_weights_is_refused(tmp_path: Path, write: Callable[[Path], Any], message: str) -> None:
    write(tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=f"model.weights: .*{message}"):
        start(config_with(weights=str(tmp_path / "weights.pt")))


def test_a_missing_file_is_told_with_its_line(write_config: Write, cli: Callable[..., Any], tmp_path: Path) -> None:
    config = write_config(model={"UNet": UNET, "weights": "nowhere.pt"}, data={"batch_size": 0})
    done: subprocess.CompletedProcess[str] = cli("fit", "-c", config, cwd=tmp_path)
    assert done.returncode == 2
    assert f"model.weights: there is no file or run folder {tmp_path / 'nowhere.pt'}." in done.stderr
    assert "data.batch_size" in done.stderr


def test_weights_and_frozen_layers_reach_the_checkpoint_and_the_run_is_continued(
    trained: Run, write_config: Write, tmp_path: Path
) -> None:
    config = write_config(model={"UNet": UNET, "weights": str(trained.folder.path), "freeze": ["model.0"]})
    run = fit(load_config(config, ["trainer.max_epochs=1"]))
    before, after = read_weights(trained.folder.best), read_weights(run.folder.last)
    frozen = {name for name in before if name.startswith("network.model.0.")}
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    moved = {name for name in before if name.startswith("network.") and not torch.equal(before[name], after[name])}
    assert moved
    assert not moved & frozen
    # Going on needs no weights but those of the checkpoint, and may train all of the network.
    again = fit(load_config(config, [f"model.weights={trained.folder.best}", "model.freeze=[]"]), ckpt_path="last")
    assert again.folder.path == run.folder.path
    last = read_weights(again.folder.last)
    assert any(not torch.equal(before[name], last[name]) for name in frozen)


# Freezing


def test_a_module_that_is_named_is_frozen_with_all_in_it(network: torch.nn.Module) -> None:
    modules = freeze(network, ["model.0", "*.bias"])
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    names = {name for name, _ in network.named_parameters()}
    assert frozen == {name for name in names if name.startswith("model.0.") or name.endswith(".bias")}
    assert frozen < names
    assert modules == [network.get_submodule("model.0")]


def test_statistics_of_a_frozen_normalisation_stay(write_config: Write) -> None:
    from trainlib.tasks import TASKS

    config = load_config(write_config(model={"UNet": UNET | {"norm": "batch"}, "freeze": ["model.0"]}))
    task = TASKS["segmentation"](config)
    task.configure_model()
    task.train()
    frozen, trained = task.network.get_submodule("model.0"), task.network.get_submodule("model.2")
    before = {name: value.clone() for name, value in frozen.state_dict().items() if "running" in name}
    task.network(torch.randn(2, 1, 16, 16, 8))
    assert before
    assert all(torch.equal(frozen.state_dict()[name], value) for name, value in before.items())
    assert (frozen.training, trained.training) == (False, True)


@pytest.mark.parametrize(
    ("patterns", "key", "text"),
    [
        (["modle.0"], ("model", "freeze", 0), "no part of the network is named 'modle.0'. Did you mean model.0?"),
        (["*", "encoder*"], ("model", "freeze", 1), "no part of the network is named 'encoder*'. Its parts are model."),
        (["model"], ("model", "freeze"), "leaves nothing of the network to train. Name fewer parts."),
    ],
)
def test_patterns_that_cannot_be_meant_are_told(patterns: list[str], key: tuple[Any, ...], text: str) -> None:
    assert check_components(config_with(freeze=patterns)) == [(key, f"model.freeze: {text}")]


# The config


def test_weights_and_frozen_layers_stand_beside_the_network(tmp_path: Path) -> None:
    text = yaml.safe_dump({"data": DATA, "model": {"UNet": UNET, "weights": "run", "freeze": ["model.0"]}})
    (tmp_path / "config.yaml").write_text(text)
    config = load_config(tmp_path / "config.yaml")
    assert (config.model.name, config.model.weights) == ("UNet", str(Path.cwd() / "run"))
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "again.yaml") == config
    jsonschema.validate(yaml.safe_load(text), Config.model_json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"data": DATA, "model": {"UNet": UNET, "freeze": "model.0"}}, Config.model_json_schema())


@pytest.mark.parametrize(
    ("overrides", "name", "weights", "frozen"),
    [
        (["model.weights=b.pt"], "UNet", "b.pt", ["model.0"]),
        (["model.weights=null", "model.freeze=[]"], "UNet", None, []),
        (["model.UNet.norm=batch"], "UNet", "a.pt", ["model.0"]),
        (["model=SegResNet"], "SegResNet", None, []),
        (["model={SegResNet: {}, weights: c.pt}"], "SegResNet", "c.pt", []),
    ],
)
def test_another_network_leaves_the_weights_behind(
    tmp_path: Path, overrides: list[str], name: str, weights: str | None, frozen: list[str]
) -> None:
    model = {"UNet": UNET, "weights": "a.pt", "freeze": ["model.0"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": DATA, "model": model}))
    found = load_config(tmp_path / "config.yaml", overrides).model
    assert (found.name, found.freeze) == (name, frozen)
    assert found.weights == (None if weights is None else str(Path.cwd() / weights))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.weights=5", "model.weights: expected a string, found 5"),
        ("model.freeze=encoder", "model.freeze: expected a list, found 'encoder'"),
        ("model={UNet: {}, weight: a.pt}", "model: expected one name with its keywords, found UNet, weight"),
    ],
)
def test_what_stands_beside_the_network_is_checked(tmp_path: Path, override: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": DATA}))
    with pytest.raises(Exception, match=message):
        load_config(tmp_path / "config.yaml", [override])
