"""A bundle that somebody else made is tested and trained on."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

import trainlib
from trainlib import fit, load_config
from trainlib.build.bundles import bundled_network, network_of_bundle
from trainlib.build.check import check_components
from trainlib.build.components import build_model
from trainlib.bundle.writing import write_bundle
from trainlib.checkpoints.starting import start_from_weights
from trainlib.commands.reproduce.data import check_data
from trainlib.commands.reproduce.original import open_original
from trainlib.config.schema import Config
from trainlib.data.phantom import CLASSES
from trainlib.errors import CheckpointError, ConfigError
from trainlib.tasks import TASKS
from trainlib.weights.fitting import Start

SIZES = {"spatial_dims": 3, "in_channels": 1, "out_channels": len(CLASSES), "channels": [4, 8], "strides": [2]}


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, nn.Module]:
    """A bundle as MONAI's model zoo has them, and the network in it."""
    torch.manual_seed(3)
    network = UNet(**SIZES)
    root = tmp_path / "zoo"
    for name in ("configs", "models"):
        (root / name).mkdir(parents=True)
    config = {
        "imports": ["$import torch"],
        "classes": len(CLASSES),
        "device": "$torch.device('cpu')",
        "network_def": {"_target_": "UNet"} | SIZES | {"out_channels": "@classes"},
        "network": "$@network_def.to(@device)",
    }
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    (root / "configs" / "metadata.json").write_text(json.dumps({"version": "0.1.0"}))
    torch.save({"model": network.state_dict(), "epoch": 3}, root / "models" / "model.pt")
    return root, network


def started(config: Config) -> tuple[nn.Module, list[Start]]:
    """Return the network that a training begins with, and what it has taken."""
    network = build_model(config)
    return network, start_from_weights(network, config)


def assert_equal(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(dict(one.state_dict()), dict(other.state_dict()), rtol=0, atol=0)


def test_network_and_weights_come_from_the_bundle(made: tuple[Path, nn.Module]) -> None:
    root, network = made
    assert_equal(bundled_network(str(root)), network)


def test_a_bundle_is_tested_as_it_is(made: tuple[Path, nn.Module], write_config: Callable[..., Path]) -> None:
    root, network = made
    config = load_config(write_config(model={"bundle": str(root)}))
    assert config.model.kwargs == {"path": str(root)}
    assert_equal(started(config)[0], network)
    scores = trainlib.test(config, None)
    assert 0 <= scores["test/dice"] <= 1
    assert (Path(config.run.root) / "tiny_test" / "cases.csv").is_file()


def test_a_bundle_is_trained_on_from_its_weights(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path]
) -> None:
    root, network = made
    optimizer = {"SGD": {"lr": 1e-12}}  # so small a step that the weights tell where they come from
    run = fit(load_config(write_config(model={"bundle": str(root)}, optimizer=optimizer, scheduler=None)), check=False)
    state = torch.load(run.folder.last, weights_only=True)["state_dict"]
    for name, value in network.named_parameters():
        torch.testing.assert_close(state[f"network.{name}"], value.detach(), rtol=0, atol=1e-6)
    assert load_config(run.folder.config).model.kwargs == {"path": str(root)}


def test_another_number_of_classes_gets_new_last_layers_which_are_told(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path], cli: Callable[..., Any]
) -> None:
    root, network = made
    few = {"classes": CLASSES[:2], "label_map": {2: 0}}
    optimizer = {"SGD": {"lr": 1e-12}}
    config = {"data": few, "optimizer": optimizer, "scheduler": None}
    misfit = cli("fit", "-c", write_config("misfit.yaml", model={"bundle": str(root)}, **config))
    assert misfit.returncode == 2
    assert "bundle: {path: DIR, out_channels: 3}" in misfit.stderr
    model = {"bundle": {"path": str(root), "out_channels": 2}, "freeze": ["model.0"]}
    path = write_config(model=model, **config)
    done = cli("fit", "-c", path)
    assert done.returncode == 0, done.stderr
    last = "model.2.conv.weight"
    shapes = [tuple(network.state_dict()[last].shape), (8 + 4, 2, 3, 3, 3)]
    misfit = f"model.bundle: {last} has shape {shapes[0]} in the file, {shapes[1]} in the network"
    sentence = f"{misfit}, and stays as initialised."
    assert sentence in done.stdout + done.stderr
    folder = Path(load_config(path).run.root) / "tiny"
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert tuple(state[f"network.{last}"].shape) == shapes[1]
    for name, value in network.named_parameters():
        if name.startswith("model.0"):
            torch.testing.assert_close(state[f"network.{name}"], value.detach(), rtol=0, atol=0)
    assert (folder / "logs" / "trainlib.log").read_text().count(sentence) == 1
    assert misfit in (folder / "snapshot" / "weights.txt").read_text().splitlines()
    untrained = cli("test", "-c", path)
    assert untrained.returncode == 2
    assert "--ckpt_path is missing" in untrained.stderr


def test_what_began_with_a_bundle_becomes_one_that_needs_it_no_more(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path], tmp_path: Path
) -> None:
    root, _ = made
    (root / "LICENSE").write_text("Apache")
    (root / "scripts").mkdir()
    (root / "scripts" / "extra.py").write_text("import torch\n")
    model = {"bundle": {"path": str(root), "channels": [4, 6]}}
    run = fit(load_config(write_config(model=model)), check=False)
    bundle = write_bundle(run.folder.path, tmp_path / "bundle")
    assert (bundle / "LICENSE.origin").read_text() == "Apache"
    assert "began with the bundle zoo" in (bundle / "docs" / "README.md").read_text()
    shutil.rmtree(root)
    state = torch.load(run.folder.best, weights_only=True)["state_dict"]
    for name, value in bundled_network(str(bundle)).state_dict().items():
        torch.testing.assert_close(value, state[f"network.{name}"], rtol=0, atol=0)


def test_keywords_that_the_network_does_not_have_are_told(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path]
) -> None:
    root, _ = made
    other = load_config(write_config(model={"bundle": {"path": str(root), "strides": [1]}}))
    with pytest.raises(ConfigError, match=r"cannot be built: TypeError: .*out_chanels"):
        network_of_bundle(str(root), out_chanels=2)
    torch.save({"other": torch.zeros(3)}, root / "models" / "model.pt")
    with pytest.raises(CheckpointError, match=r"model.bundle: nothing in .*model.pt fits the network: .* Take the"):
        started(other)
    (root / "configs" / "inference.json").write_text(
        '{"network_def": "$torch.nn.Identity()", "imports": ["$import torch"]}'
    )
    with pytest.raises(
        ConfigError, match="network_def is no mapping with a _target_, so that out_channels cannot be set"
    ):
        network_of_bundle(str(root), out_channels=2)


def test_a_bundle_may_have_scripts_expressions_and_yaml(tmp_path: Path) -> None:
    for name in ("configs", "models", "scripts"):
        (tmp_path / name).mkdir()
    (tmp_path / "scripts" / "__init__.py").write_text("")
    (tmp_path / "scripts" / "nets.py").write_text(
        "from torch import nn\nfrom .parts import width\n\n\nclass Net(nn.Sequential):\n"
        "    def __init__(self, inputs, outputs):\n"
        "        super().__init__(nn.Conv3d(inputs, width, 1), nn.Conv3d(width, outputs, 1))\n"
    )
    (tmp_path / "scripts" / "parts.py").write_text("width = 5\n")
    (tmp_path / "configs" / "train.yaml").write_text(
        "names: [a, b]\nnet:\n  _target_: scripts.nets.Net\n  inputs: '%sizes#inputs'\n  outputs: $len(@names) + 1\n"
        "sizes: {inputs: 2}\n"
    )
    network = nn.Sequential(nn.Conv3d(2, 5, 1), nn.Conv3d(5, 3, 1))
    torch.save(network.state_dict(), tmp_path / "models" / "model.pt")
    found = bundled_network(str(tmp_path))
    assert type(found).__name__ == "Net"
    image = torch.randn(1, 2, 3, 3, 3)
    torch.testing.assert_close(found(image), network(image), rtol=0, atol=0)


def test_images_of_other_channels_than_the_bundle_takes_are_told(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path], cli: Callable[..., Any]
) -> None:
    root, _ = made
    config = json.loads((root / "configs" / "inference.json").read_text())
    config["network_def"]["in_channels"] = 2
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    torch.save(UNet(**SIZES | {"in_channels": 2}).state_dict(), root / "models" / "model.pt")
    done = cli("test", "-c", write_config(model={"bundle": str(root)}))
    assert done.returncode == 2
    assert "to have 2 channels, but got 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_needs_no_checkpoint_of_a_bundle(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path], cli: Callable[..., Any]
) -> None:
    done = cli("test", "-c", write_config(model={"bundle": str(made[0])}))
    assert done.returncode == 0, done.stderr
    assert "dice" in done.stdout
    done = cli("test", "-c", write_config())
    assert done.returncode == 2
    assert "--ckpt_path is missing" in done.stderr


def test_our_own_bundles_can_be_read_with_their_scripts(patched_run: Path, tmp_path: Path) -> None:
    from trainlib.bundle.trained import open_trained

    trained = open_trained(patched_run)
    found = bundled_network(str(write_bundle(patched_run, tmp_path / "bundle"))).eval()
    torch.testing.assert_close(found(trained.example), trained.network(trained.example), rtol=0, atol=0)


def test_what_is_wrong_with_a_bundle_is_told(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path], tmp_path: Path
) -> None:
    root, _ = made
    weights = root / "models" / "model.pt"
    with pytest.raises(ConfigError, match="there is no folder"):
        bundled_network(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="is no MONAI bundle"):
        bundled_network(str(tmp_path))
    torch.save({"first.weight": torch.zeros(3)}, weights)
    with pytest.raises(CheckpointError, match=r"nothing in .*model.pt fits the network: .* is not in the file"):
        bundled_network(str(root))
    torch.save([1], weights)
    with pytest.raises(CheckpointError, match="holds no weights: expected a state dict"):
        bundled_network(str(root))
    torch.save({"model": nn.Linear(1, 1)}, weights)  # a pickle with code in it
    with pytest.raises(CheckpointError, match="which is code and no data"):
        bundled_network(str(root))
    weights.unlink()
    config = load_config(write_config(model={"bundle": str(root)}))
    with pytest.raises(CheckpointError, match=r"model\.bundle: there are no weights"):
        started(config)
    assert check_components(config) == [(("model",), f"model.bundle: there are no weights {weights}.")]
    (root / "configs" / "inference.json").write_text('{"network_def": {"_target_": "UNet", "depth": 3}}')
    with pytest.raises(ConfigError, match=r"cannot be built: .*depth"):
        bundled_network(str(root))
    (root / "configs" / "inference.json").write_text('{"other": 1}')
    with pytest.raises(ConfigError, match="names no network"):
        bundled_network(str(root))


def test_weights_of_a_bundle_are_checked_as_all_others(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path]
) -> None:
    root, network = made
    file, state = root / "models" / "model.pt", network.state_dict()
    config = load_config(write_config(model={"bundle": str(root)}))
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, file)
    found, [start] = started(config)
    assert_equal(found, network)
    assert (start.setting, start.share, list(start.misfits())) == ("model.bundle", 1.0, [])
    first, *others = state
    torch.save({name: state[name] for name in others}, file)
    text = f"model.bundle: the weights {file} do not fit the network of the bundle: {first} is not in the file."
    assert check_components(config) == [(("model",), text)]
    torch.save(state | {first: torch.full_like(state[first], float("nan"))}, file)
    [(key, text)] = check_components(config)
    assert (key, text.startswith(f"model.bundle: {first} in {file} is not finite")) == (("model",), True)
    with pytest.raises(CheckpointError, match=r"model\.bundle: .* is not finite"):
        started(config)


@pytest.mark.parametrize("stage", ["test", "validate", "predict"])
def test_without_a_checkpoint_weights_beside_a_bundle_are_used_and_told(
    made: tuple[Path, nn.Module],
    write_config: Callable[..., Path],
    tmp_path: Path,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    root, network = made
    last = "model.2.conv.bias"
    torch.save({last: network.state_dict()[last] + 1}, tmp_path / "other.pt")
    used: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(
        TASKS["segmentation"], f"on_{stage if stage != 'validate' else 'validation'}_start",
        lambda self: used.append({name: value.clone() for name, value in self.network.state_dict().items()}),
    )  # fmt: skip
    config = load_config(write_config(model={"bundle": str(root), "weights": str(tmp_path / "other.pt")}))
    with caplog.at_level(logging.INFO, logger="trainlib"):
        getattr(trainlib, stage)(config, None, **({"out": tmp_path / "out"} if stage == "predict" else {}))
    [state] = used
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, state[name])}
    assert changed == {last}
    told = [text for record in caplog.records if (text := record.getMessage()).startswith("model.")]
    number = len(state)
    assert told[0].startswith(f"model.bundle: {number} of {number} tensors, 100 % of all values, from {root}")
    assert told[1].startswith(f"model.weights: 1 of {number} tensors, ")
    assert told[2].startswith("model.weights: not in the file, and as before: ")


def test_a_repetition_misses_a_bundle_that_has_changed_since(
    made: tuple[Path, nn.Module], write_config: Callable[..., Path]
) -> None:
    root, _ = made
    model = {"bundle": {"path": str(root), "out_channels": 2}}
    few = {"classes": CLASSES[:2], "label_map": {2: 0}}
    run = fit(load_config(write_config(model=model, data=few)), check=False)
    with (run.folder.snapshot / "weights.csv").open() as file:
        paths = {row["path"] for row in csv.DictReader(file)}
    assert paths == {
        str(root / name) for name in ("models/model.pt", "configs/inference.json", "configs/metadata.json")
    }
    original = open_original(run.folder.path)
    assert not [text for text in original.remarks if "no hash" in text]
    assert check_data(original).changed == []
    with (root / "models" / "model.pt").open("ab") as file:
        file.write(b"more")
    [changed] = check_data(original).changed
    assert f"{root / 'models' / 'model.pt'} has changed since the run" in changed.text
    (run.folder.snapshot / "weights.csv").unlink()
    assert (
        "The snapshot keeps no hash of the bundle's files, so that it is not known whether they have changed."
        in open_original(run.folder.path).remarks
    )


@pytest.mark.parametrize("bundle", ["zoo", {"path": "zoo"}, {"path": "zoo", "out_channels": 2}])
def test_keywords_of_the_command_line_join_the_folder_of_a_bundle(
    write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(model={"bundle": bundle, "freeze": ["model.0"]})
    config = load_config(path, ["model.bundle.out_channels=3"])
    assert config.model.kwargs == {"path": str(tmp_path / "zoo"), "out_channels": 3}
    assert config.model.freeze == ["model.0"]
    other = load_config(path, ["model.bundle.out_channels=3", "model.bundle=other"])
    assert other.model.kwargs == {"path": str(tmp_path / "other"), "out_channels": 3}
