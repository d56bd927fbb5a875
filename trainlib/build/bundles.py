"""Networks with their weights from MONAI bundles, whoever made them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlib.build.patches import describe, patched
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, ConfigError
from trainlib.weights.fitting import Start, load_weights
from trainlib.weights.reading import read_weights

if TYPE_CHECKING:
    import torch
    from monai.bundle import ConfigParser

_CONFIGS = ("inference", "evaluate", "train")
_SUFFIXES = (".yaml", ".yml", ".json")
_NETWORKS = ("network_def", "network", "net", "model")
_SCRIPTS = "scripts"  # package in which bundles have code of their own


def network_of_bundle(path: str, **keywords: Any) -> torch.nn.Module:
    """Build the network of a bundle by its own config; its weights are another matter.

    A bundle's config is code: it can call anything that Python can import, as a patch script does.

    Args:
        path: The folder of the bundle.
        keywords: Keywords of the network that take the place of those in the bundle's config, as in
            ``out_channels=5``.

    Raises:
        ConfigError: It is no bundle, or its network cannot be built.
    """
    root = Path(path)
    return _build(root, config_of(root), keywords)


def bundled_network(path: str) -> torch.nn.Module:
    """Build the network of a bundle, and load its weights, all of which must fit.

    Args:
        path: The folder of the bundle.

    Raises:
        ConfigError: It is no bundle, or its network cannot be built.
        CheckpointError: Its weights cannot be read, are not finite, or do not fit.
    """
    network = network_of_bundle(path)
    _load(network, Path(path), whole=True)
    return network


def bundled_start(network: torch.nn.Module, config: Config) -> Start | None:
    """Load the weights of the bundle that the network of a config is of.

    Args:
        network: The network; on the device ``meta`` the weights are only compared.
        config: The config. With keywords of the network beside the bundle's path, weights that do not fit are left
            out; without, all must fit.

    Returns:
        What was taken; None where the network is of no bundle.

    Raises:
        CheckpointError: The weights cannot be read, are not finite, or do not fit.
    """
    model, script = config.model, config.patch.model
    if model.name != BUNDLE or (script and patched(script, "get_model")):
        return None
    try:
        return _load(network, Path(model.kwargs["path"]), whole=model.brings_weights, frozen=model.freeze)
    except CheckpointError as error:
        raise CheckpointError(f"model.{BUNDLE}: {error}") from error


def _load(network: torch.nn.Module, root: Path, *, whole: bool, frozen: Sequence[str] = ()) -> Start:
    file = root / "models" / "model.pt"
    start = load_weights(network, read_weights(file), file, frozen, setting=f"model.{BUNDLE}")
    misfits = list(start.misfits()) if whole else []
    if misfits:
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise CheckpointError(f"the weights {file} do not fit the network of the bundle: {misfits[0]}{more}.")
    return start


def config_of(root: Path) -> Path:
    """Find the config of a bundle that describes its network.

    Raises:
        ConfigError: There is no such folder, or no config in it.
    """
    if not root.is_dir():
        raise ConfigError(f"there is no folder {root}.")
    for name in _CONFIGS:
        for suffix in _SUFFIXES:
            if (found := root / "configs" / f"{name}{suffix}").is_file():
                return found
    raise ConfigError(f"{root} is no MONAI bundle: it has no configs/inference.yaml (or .json, or train).")


@contextmanager
def parsed(root: Path, config: Path) -> Iterator[ConfigParser]:
    """Let MONAI's parser read a config of a bundle; what it builds within the block may import the bundle's scripts.

    Args:
        root: The folder of the bundle.
        config: The config.
    """
    from monai.bundle import ConfigParser

    with _importable(root):
        parser = ConfigParser()
        parser.read_config(str(config))
        metadata = root / "configs" / "metadata.json"
        if metadata.is_file():
            parser.read_meta(str(metadata))
        parser["bundle_root"] = str(root)
        yield parser


def _build(root: Path, config: Path, keywords: Mapping[str, Any]) -> torch.nn.Module:
    """Build the one item of the config that is the network."""
    from torch import nn

    try:
        with parsed(root, config) as parser:
            name = network_item(parser)
            network = None if name is None else _parse(parser, name, keywords)
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
    except Exception as error:  # whatever the bundle's own code raises
        raise ConfigError(f"the network of {config} cannot be built: {first_cause(error)}.") from error
    if name is None:
        raise ConfigError(f"{config} names no network: there is none of {', '.join(_NETWORKS)} in it.")
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{config}: {name} is {type(network).__name__}, expected a torch.nn.Module.")
    return network


def network_item(parser: ConfigParser) -> str | None:
    """Name the item of a config that is the network; None where there is none."""
    return next((name for name in _NETWORKS if name in parser), None)


def _parse(parser: ConfigParser, name: str, keywords: Mapping[str, Any]) -> Any:
    if keywords:
        if not isinstance(parser[name], Mapping) or "_target_" not in parser[name]:
            given = ", ".join(keywords)
            raise ConfigError(f"{name} is no mapping with a _target_, so that {given} cannot be set. Leave it out.")
        parser[name] = {**parser[name], **keywords}
    return parser.get_parsed_content(name)


def first_cause(error: BaseException) -> str:
    """Describe the first of several errors that were raised one because of the other: the parser hides it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return describe(error)


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Let a bundle import its own scripts, which have the same name in every bundle, and nobody else."""
    path, silent = list(sys.path), sys.dont_write_bytecode
    with hidden(_SCRIPTS):
        sys.path.insert(0, str(root))
        sys.dont_write_bytecode = True  # the folder of a bundle stays as it is
        try:
            yield
        finally:
            sys.path[:], sys.dont_write_bytecode = path, silent


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Let what is imported of a package before the block and in it be nothing to each other."""

    def ours() -> dict[str, Any]:
        return {name: sys.modules[name] for name in list(sys.modules) if name.partition(".")[0] == package}

    others = ours()
    for name in others:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in ours():
            del sys.modules[name]
        sys.modules.update(others)
