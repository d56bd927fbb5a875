"""A bundle that somebody else made is tested and trained on."""

from __future__ import annotations

import json
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
from trainlib.build.bundles import bundled_network
from trainlib.build.components import build_model
from trainlib.bundle.writing import write_bundle
from trainlib.data.phantom import CLASSES
from trainlib.errors import ConfigError, InputError

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


def test_network_and_weights_come_from_the_bundle(made: tuple[Path, nn.Module]) -> None:
    root, network = made
    found = bundled_network(str(root))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=0)


def test_a_bundle_is_tested_as_it_is(made: tuple[Path, nn.Module], write_config: Callable[..., Path]) -> None:
    root, network = made
    config = load_config(write_config(model={"bundle": str(root)}))
    assert config.model.kwargs == {"path": str(root)}
    torch.testing.assert_close(build_model(config).state_dict(), dict(network.state_dict()), rtol=0, atol=0)
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
    where = f"{shapes[0]} in the bundle, {shapes[1]} in the network"
    sentence = f"model.bundle: {last} has shape {where}, and stays as it was initialised."
    assert sentence in done.stdout + done.stderr
    folder = Path(load_config(path).run.root) / "tiny"
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert tuple(state[f"network.{last}"].shape) == shapes[1]
    for name, value in network.named_parameters():
        if name.startswith("model.0"):
            torch.testing.assert_close(state[f"network.{name}"], value.detach(), rtol=0, atol=0)
    assert (folder / "logs" / "trainlib.log").read_text().count(sentence) == 1
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


def test_keywords_that_the_network_does_not_have_are_told(made: tuple[Path, nn.Module]) -> None:
    root, _ = made
    with pytest.raises(ConfigError, match=r"cannot be built: TypeError: .*out_chanels"):
        bundled_network(str(root), out_chanels=2)
    torch.save({"other": torch.zeros(3)}, root / "models" / "model.pt")
    with pytest.raises(ConfigError, match=r"none of the weights .* fits"):
        bundled_network(str(root), out_channels=6)
    (root / "configs" / "inference.json").write_text(
        '{"network_def": "$torch.nn.Identity()", "imports": ["$import torch"]}'
    )
    with pytest.raises(
        ConfigError, match="network_def is no mapping with a _target_, so that out_channels cannot be set"
    ):
        bundled_network(str(root), out_channels=2)


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
    with pytest.raises(ConfigError, match=r"model.pt do not fit the network: Missing key"):
        bundled_network(str(root))
    torch.save([1], weights)
    with pytest.raises(ConfigError, match="holds no weights by name"):
        bundled_network(str(root))
    torch.save({"model": nn.Linear(1, 1)}, weights)  # a pickle with code in it
    with pytest.raises(ConfigError, match="cannot be read"):
        bundled_network(str(root))
    weights.unlink()
    with pytest.raises(InputError, match=r"model\.bundle: there are no weights"):
        build_model(load_config(write_config(model={"bundle": str(root)})))
    (root / "configs" / "inference.json").write_text('{"network_def": {"_target_": "UNet", "depth": 3}}')
    with pytest.raises(ConfigError, match=r"cannot be built: .*depth"):
        bundled_network(str(root))
    (root / "configs" / "inference.json").write_text('{"other": 1}')
    with pytest.raises(ConfigError, match="names no network"):
        bundled_network(str(root))
