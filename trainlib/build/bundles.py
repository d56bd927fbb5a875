"""Networks with their weights from MONAI bundles, whoever made them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlib.build.patches import describe
from trainlib.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from monai.bundle import ConfigParser

log = logging.getLogger(__name__)

_CONFIGS = ("inference", "evaluate", "train")
_SUFFIXES = (".yaml", ".yml", ".json")
_NETWORKS = ("network_def", "network", "net", "model")
_WEIGHTS = ("model", "state_dict", "network", "net")  # under which weights lie in a checkpoint
_SCRIPTS = "scripts"  # package in which bundles have code of their own
_MISFITS = "_bundle_misfits"  # attribute of a network: what does not fit of its weights


def bundled_network(path: str, **keywords: Any) -> torch.nn.Module:
    """Build the network of a bundle by its own config, and load its weights.

    A bundle's config is code: it can call anything that Python can import, as a patch script does. The weights are
    read as data alone.

    Args:
        path: The folder of the bundle.
        keywords: Keywords of the network that take the place of those in the bundle's config, as in
            ``out_channels=5``. With any of them weights that do not fit are left out, for `tell_misfits` to tell;
            without, all must fit.

    Raises:
        ConfigError: It is no bundle, its network cannot be built, or its weights do not fit.
    """
    root = Path(path)
    network = _build(root, config_of(root), keywords)
    file = root / "models" / "model.pt"
    weights = _read(file)
    if keywords:
        _load_what_fits(network, weights, file)
    else:
        _load(network, weights, file)
    return network


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


def _read(path: Path) -> dict[str, torch.Tensor]:
    import torch

    if not path.is_file():
        raise ConfigError(f"there are no weights {path}.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ConfigError(f"the weights {path} cannot be read: {describe(error)}.") from error
    for name in _WEIGHTS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ConfigError(f"{path} holds no weights by name.")
    return dict(content)


def _load(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise ConfigError(f"the weights {path} do not fit the network: {lines[0].rstrip('.')}.") from error


def _load_what_fits(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load the weights that fit by name and shape, and note all others, of the network and of the file."""
    own = network.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
    if not fitting:
        raise ConfigError(f"none of the weights {path} fits the network with these keywords.")
    network.load_state_dict(fitting, strict=False)
    setattr(network, _MISFITS, [*_misfits(own, weights)])


def _misfits(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> Iterator[str]:
    for name, value in own.items():
        if name not in weights:
            yield f"{name} is not in the bundle, and stays as it was initialised."
        elif weights[name].shape != value.shape:
            shapes = f"{tuple(weights[name].shape)} in the bundle, {tuple(value.shape)} in the network"
            yield f"{name} has shape {shapes}, and stays as it was initialised."
    yield from (f"{name} is in the bundle and not in the network." for name in weights if name not in own)


def tell_misfits(network: torch.nn.Module) -> None:
    """Log in a line each which weights of its bundle a network could not take."""
    for misfit in getattr(network, _MISFITS, []):
        log.warning("model.bundle: %s", misfit)
