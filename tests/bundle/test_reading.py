"""A bundle that somebody else made is tested and trained on."""

from __future__ import annotations

import json
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
    with pytest.raises(ConfigError, match="the network comes from a bundle itself"):
        write_bundle(run.folder.path, run.folder.path / "bundle")


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
