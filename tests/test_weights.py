"""`model.weights` and `model.freeze`: what a training starts from, and what of it stays as it is."""

from __future__ import annotations

import csv
import hashlib
import logging
import shutil
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
from trainlib.build.freezing import evaluating, freeze
from trainlib.checkpoints.starting import start_from_weights
from trainlib.commands.reproduce.data import check_data
from trainlib.commands.reproduce.original import open_original
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, InputError
from trainlib.folders.results import Run
from trainlib.weights.fitting import load_weights
from trainlib.weights.names import collapsed
from trainlib.weights.reading import read_weights

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
        "model": {"UNet": UNET | {"norm": "batch"}},
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
        lambda state: {"model": {f"model.module._orig_mod.{name}": value for name, value in state.items()}},
    ],
    ids=["plain", "lightning", "distributed", "compiled", "nnunet", "all"],
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
    assert equal(start(config_with(UNet=UNET | {"norm": "batch"}, weights=str(path))), expected)


def told(config: Config, caplog: pytest.LogCaptureFixture) -> list[str]:
    """List what is told of the weights that a network starts from."""
    with caplog.at_level(logging.INFO, logger="trainlib"):
        [found] = start_from_weights(build_model(config), config)
        found.tell()
    return [record.getMessage() for record in caplog.records]


def test_layers_that_do_not_fit_are_listed_and_the_others_taken(
    network: torch.nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights, file = network.state_dict(), tmp_path / "weights.pt"
    names = list(weights)
    missing, other = names[0], names[-1]
    shape, total = tuple(weights[other].shape), sum(value.numel() for value in weights.values())
    share = 1 - (weights[missing].numel() + weights[other].numel()) / total
    del weights[missing]
    weights |= {other: torch.zeros(99), "head.weight": torch.zeros(2), "head.bias": torch.zeros(2)}
    torch.save(weights, file)
    config = config_with(weights=str(file), freeze=["model.0"])
    started = start(config)
    assert all(torch.equal(started[name], weights[name]) for name in names[1:-1])
    assert told(config, caplog) == [
        f"model.weights: {len(names) - 2} of {len(names)} tensors, {100 * share:.0f} % of all values, from {file}.",
        f"model.weights: {other} has shape (99,) in the file, {shape} in the network, and stays as initialised.",
        f"model.weights: not in the file, and as initialised: {missing}.",
        "model.weights: not in the network, and left out: head (2 tensors).",
        f"model.freeze: frozen at random values, for the file does not have them: {missing}.",
    ]


def test_hundreds_of_misfits_are_told_in_a_few_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wide = {"channels": [8, 16, 32, 64], "strides": [2, 2, 2], "num_res_units": 3, "norm": "batch"}
    network = build_model(config_with())
    (network_file := tmp_path / "weights.pt").touch()
    torch.save(build_model(config_with(UNet=UNET | wide)).state_dict(), network_file)
    config = config_with(UNet=UNET | wide | {"channels": [8, 16, 32, 65]}, weights=str(network_file))
    lines = told(config, caplog)
    [found] = start_from_weights(build_model(config), config)
    assert len(found.reshaped) > 20
    assert len(list(found.misfits())) == len(found.reshaped)
    assert len(lines) == 1 + 12 + 1
    assert lines[-1] == (
        f"model.weights: {len(found.reshaped) - 12} more tensors of another shape; snapshot/weights.txt lists all."
    )
    assert network is not None


def test_modules_are_named_in_place_of_all_their_tensors() -> None:
    names = ["decoder.0.weight", "decoder.0.bias", "decoder.1.weight", "encoder.norm.weight", "head"]
    assert collapsed(names, [*names, "encoder.norm.bias", "encoder.conv.weight"]) == [
        "decoder (3 tensors)",
        "encoder.norm.weight",
        "head",
    ]


def test_nothing_in_the_file_is_left_out_in_silence(network: torch.nn.Module) -> None:
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    result = load_weights(network, weights | {"teacher.weight": torch.zeros(3)}, Path("weights.pt"))
    assert result.taken == list(network.state_dict())
    assert list(result.misfits()) == ["teacher.weight is not in the network"]


def test_a_file_of_which_nothing_fits_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"model.weights: nothing in .*weights.pt fits the network: .* is not in"):
        start(config_with(weights=str(tmp_path / "weights.pt")))


def test_weights_that_are_not_finite_are_refused(network: torch.nn.Module, tmp_path: Path) -> None:
    weights = network.state_dict()
    spoilt = list(weights)[2]
    weights[spoilt] = torch.full_like(weights[spoilt], float("nan"))
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=rf"model.weights: {spoilt} in .*weights.pt is not finite"):
        start(config_with(weights=str(tmp_path / "weights.pt")))


class Code:
    """What a pickle would run."""


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"no weights"), "cannot be read as a checkpoint.*torch has not written it"),
        (lambda path: torch.save({"epoch": 3}, path), "holds no weights: expected a state dict"),
        (
            lambda path: torch.save({"a": Code()}, path),
            "Code, which is code and no data; nothing of it was run.* Save its state dict alone",
        ),
        (lambda path: path.mkdir(), "is no run folder with a checkpoint: it has no checkpoints/best.ckpt"),
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


@pytest.fixture(scope="module")
def tuned(trained: Run) -> Run:
    """A run of one epoch that started from a copy of the other's weights, with a batch normalisation frozen."""
    folder = trained.folder.path.parent
    shutil.copy(trained.folder.best, folder / "copied.ckpt")
    overrides = ["run.name=tuned", f"model.weights={folder / 'copied.ckpt'}", "model.freeze=[model.0]"]
    return fit(load_config(folder / "config.yaml", overrides))


def test_weights_and_frozen_layers_reach_the_checkpoint_and_the_log(trained: Run, tuned: Run) -> None:
    before, after = read_weights(trained.folder.best), read_weights(tuned.folder.last)
    frozen = {name for name in before if name.startswith("model.0.")}
    assert any("running_mean" in name for name in frozen)
    assert {name for name in before if torch.equal(before[name], after[name])} >= frozen
    assert {name for name in before if not torch.equal(before[name], after[name])}
    assert tuned.folder.log.read_text().count(f"{len(before)} of {len(before)} tensors, 100 % of all values") == 1


def test_a_run_is_continued_without_its_starting_weights_and_with_another_part_frozen(
    tuned: Run, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    shutil.copytree(tuned.folder.path, tmp_path / "tuned")
    changes = ["model.weights=gone.pt", "model.freeze=[]", "trainer.max_epochs=2", f"run.root={tmp_path}"]
    last = tmp_path / "tuned/checkpoints/last.ckpt"
    before = read_weights(last)
    done = cli("fit", "-c", tuned.folder.config, "--ckpt_path", last, "--no-check", *changes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = read_weights(last)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name for name in moved if name.startswith("model.0.") and "running" not in name}


def test_the_snapshot_knows_the_starting_weights_and_a_repetition_misses_them(tuned: Run, tmp_path: Path) -> None:
    run = tmp_path / "tuned"
    shutil.copytree(tuned.folder.path, run)
    file = Path(str(tuned.config.model.weights))
    rows = list(csv.DictReader((run / "snapshot/weights.csv").open()))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert [(row["path"], row["sha256"]) for row in rows] == [(str(file), digest)]
    check = check_data(open_original(run))
    assert (check.missing, check.changed) == ([], [])
    kept = file.read_bytes()
    try:
        file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        [changed] = check_data(open_original(run)).changed
        assert f"{file} has changed since the run" in changed.text
        file.unlink()
        [missing] = check_data(open_original(run)).missing
        assert missing.text == f"{file} is missing."
    finally:
        file.write_bytes(kept)


# Freezing


def test_a_module_that_is_named_is_frozen_with_all_in_it(network: torch.nn.Module) -> None:
    modules = freeze(network, ["model.0", "*.bias"])
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    names = {name for name, _ in network.named_parameters()}
    assert frozen == {name for name in names if name.startswith("model.0.") or name.endswith(".bias")}
    assert frozen < names
    assert modules == [network.get_submodule("model.0")]


@pytest.mark.parametrize("patterns", [["model.0"], ["model.0.*"], ["model.0.*.weight", "model.0.*.bias"]])
def test_statistics_of_a_frozen_normalisation_stay(write_config: Write, patterns: list[str]) -> None:
    from trainlib.tasks import TASKS

    config = load_config(write_config(model={"UNet": UNET | {"norm": "batch"}, "freeze": patterns}))
    task = TASKS["segmentation"](config)
    task.configure_model()
    frozen, trained = task.network.get_submodule("model.0"), task.network.get_submodule("model.2")
    before = {name: value.clone() for name, value in frozen.state_dict().items() if "running" in name}
    assert before
    for prepare in (lambda: None, task.train, lambda: evaluating(task.network).__enter__()):
        prepare()
        task.network(torch.randn(2, 1, 16, 16, 8))
        assert all(torch.equal(frozen.state_dict()[name], value) for name, value in before.items())
    task.train()
    norm = "conv.unit0.adn.N"
    assert (frozen.get_submodule(norm).training, trained.training) == (False, True)


def test_each_module_returns_to_its_own_mode() -> None:
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(2).eval())
    with evaluating(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]


def test_a_parameter_with_two_names_is_frozen_by_either() -> None:
    network = torch.nn.ModuleDict({"encoder": torch.nn.Linear(2, 2), "decoder": torch.nn.Linear(2, 2)})
    network["decoder"].weight = network["encoder"].weight
    freeze(network, ["decoder"])
    assert [name for name, value in network.named_parameters() if value.requires_grad] == ["encoder.bias"]


def test_decay_of_weights_leaves_frozen_ones_alone_and_no_memory_is_kept_of_them(network: torch.nn.Module) -> None:
    from trainlib.build.components import build_optimizer

    freeze(network, ["model.0"])
    before = {name: value.clone() for name, value in network.named_parameters()}
    optimizer = build_optimizer(config_with(), network.parameters())
    optimizer.param_groups[0]["weight_decay"] = 0.5
    network(torch.randn(1, 1, 16, 16, 8)).sum().backward()
    optimizer.step()
    same = {name for name, value in network.named_parameters() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith("model.0.")}
    assert len(optimizer.state) == len(before) - len(same)


def test_a_training_from_python_refuses_patterns_that_stand_for_nothing(write_config: Write) -> None:
    config = load_config(write_config(model={"UNet": UNET, "freeze": ["encoder"]}))
    with pytest.raises(InputError, match=r"model.freeze: no part of the network is named 'encoder'"):
        fit(config)


@pytest.mark.parametrize(
    ("patterns", "key", "text"),
    [
        (["modle.0"], ("model", "freeze", 0), "no part of the network is named 'modle.0'. Did you mean model.0?"),
        (
            ["*", "encoder*"],
            ("model", "freeze", 1),
            "no part of the network is named 'encoder*'. Its parts are model.0, model.1 and model.2.",
        ),
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
        ("model={UNet: {}, weight: a.pt}", "model.weight is not a setting. Did you mean model.weights?"),
        ("model.wieghts=a.pt", "model.wieghts is not a setting. Did you mean model.weights?"),
        ("model.freez=[a]", "model.freez is not a setting. Did you mean model.freeze?"),
        ("model.bundel=a", "model.bundel is not a setting. Did you mean model.bundle?"),
        ("model={UNet: {}, bundle: a}", "model: expected one name with its keywords, found UNet, bundle"),
    ],
)
def test_what_stands_beside_the_network_is_checked(tmp_path: Path, override: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": DATA}))
    with pytest.raises(Exception, match=message):
        load_config(tmp_path / "config.yaml", [override])
