"""Check every component of a config without reading data, and list what each stands for."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainlib.build.bundles import bundled_start
from trainlib.build.components import build_inferer, build_loss, build_model, build_optimizer
from trainlib.build.extras import extra_mistakes
from trainlib.build.freezing import freeze_mistakes
from trainlib.build.keywords import one_for_each_value
from trainlib.build.lookup import find
from trainlib.build.patches import describe, patched
from trainlib.build.pipelines import SECTIONS, check_pipelines
from trainlib.build.rehearsal import try_schedule, try_step
from trainlib.build.resolve import collect
from trainlib.build.trainer import foreign_arguments, meant, trainer_mistakes
from trainlib.build.types import wrong_types
from trainlib.build.weights import meta_network
from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.config.window import window_mistakes
from trainlib.errors import InputError

if TYPE_CHECKING:
    import torch


def check_components(config: Config) -> list[tuple[Key, str]]:
    """Build everything that the config names on no data, and collect all mistakes.

    Args:
        config: The config to check.

    Returns:
        Key and sentence of each mistake.
    """
    import torch

    mistakes: list[tuple[Key, str]] = list(window_mistakes(config))
    network = collect(lambda: _build_weightless(config), mistakes, ("model",))
    if network is not None:
        mistakes += freeze_mistakes(config, network)
        collect(lambda: _compare_with_bundle(config, network), mistakes, ("model",))
    collect(lambda: build_loss(config), mistakes, ("loss",))
    collect(lambda: build_inferer(config), mistakes, ("inferer",))
    optimizer = collect(lambda: _try_optimizer(config, network), mistakes, ("optimizer",))
    if optimizer is None:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    collect(lambda: try_schedule(config, optimizer), mistakes, ("scheduler",))
    mistakes += [*check_pipelines(config), *extra_mistakes(config)]
    # Several components may rest on one and the same mistake, such as that of the window, or of a script.
    found = dict.fromkeys([_blamed(config, *mistake) for mistake in mistakes] + check_trainer(config))
    return list(one_for_each_value(found))


def _blamed(config: Config, key: Key, text: str) -> tuple[Key, str]:
    """Point to the setting that names a script where the script itself is wrong, not how a component is used."""
    for name, path in config.patch:
        starts = (f"{path}:", f"patch: {path} ", f"patch: there is no script {path}.")
        if (key[0] == name != "transforms" or "cannot be imported" in text) and text.startswith(starts):
            return ("patch", name), text
    return key, text


def _build_weightless(config: Config) -> Any:
    """Build the network without memory for its weights; networks that cannot are built in full."""
    try:
        return meta_network(config)
    except Exception:
        return build_model(config)


def _compare_with_bundle(config: Config, network: torch.nn.Module) -> None:
    """Compare the weights of a bundle with the network that is to take them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*copying from a non-meta parameter.*")
        bundled_start(network, config)


def _try_optimizer(config: Config, network: torch.nn.Module | None) -> torch.optim.Optimizer | None:
    """Build the optimizer; one of a patch for the network's parameters, which it may sort by name or shape."""
    if config.patch.optimizer is None:
        return try_step(config, network)
    if network is None:
        return None
    try:
        return build_optimizer(config, network.parameters())
    except InputError:
        if not any(parameter.is_meta for parameter in network.parameters()):
            raise
    # The function may only have asked for values, which a network without memory does not have.
    return build_optimizer(config, build_model(config).parameters())


def check_trainer(config: Config) -> list[tuple[Key, str]]:
    """Compare the section ``trainer`` with the signature of `lightning.Trainer`, and try its values."""
    from lightning import Trainer

    known = [name for name in inspect.signature(Trainer).parameters if name != "self"]
    mistakes = list(foreign_arguments(config, known))
    mistakes += trainer_mistakes(config.trainer)
    told = {key[-1] for key, _ in mistakes} | {"max_epochs", "logger"}  # which are checked without a Trainer
    rest = {name: value for name, value in config.trainer.items() if name not in told}
    mistakes += [
        (("trainer", name), f"trainer.{name}: {text}{meant(name, rest[name])}")
        for name, text in wrong_types(Trainer, rest)
    ]
    told = {key[-1] for key, _ in mistakes} | {"logger"}
    epochs = config.trainer.get("max_epochs", 1)
    if not isinstance(epochs, int) or epochs < 1:
        told.add("max_epochs")
    return mistakes + _refused_values({name: value for name, value in config.trainer.items() if name not in told})


def _refused_values(arguments: Mapping[str, Any]) -> list[tuple[Key, str]]:
    """Make Trainers of no use, to learn which values are refused: each alone, or all together."""
    together = _refusal(arguments)
    if together is None:
        return []
    alone = {name: said for name, value in arguments.items() if (said := _refusal({name: value})) is not None}
    return [
        (("trainer", name), f"trainer.{name}: lightning.Trainer refuses {arguments[name]!r}: {said}.")
        for name, said in alone.items()
    ] or [(("trainer",), f"trainer: lightning.Trainer refuses these arguments together: {together}.")]


def _refusal(arguments: Mapping[str, Any]) -> str | None:
    """Return what Lightning raises for some arguments; None where it takes them."""
    from lightning import Trainer
    from lightning.fabric.plugins.environments import LightningEnvironment

    logging.disable(logging.INFO)  # what it says of the machine is said again when it counts
    try:
        # Who has started the processes is not asked here.
        plugins = {} if arguments.get("plugins") else {"plugins": [LightningEnvironment()]}
        Trainer(**{**arguments, **plugins}, logger=False, enable_checkpointing=False)
    except Exception as error:  # Lightning raises errors of many kinds
        return describe(error)
    finally:
        logging.disable(logging.NOTSET)
    return None


def origins(config: Config) -> dict[str, str]:
    """Tell for every component of the config what is used and which module or script it comes from.

    A patch script that does not define its function is mentioned, because the config's component is used then.
    """
    table = {}
    for kind in ("model", "loss", "optimizer", "scheduler", "inferer"):
        component, script = getattr(config, kind), getattr(config.patch, kind, None)
        if script and patched(script, f"get_{kind}"):
            table[kind] = f"get_{kind} from {script}"
        elif component is not None:
            note = f" ({script} defines no get_{kind})" if script else ""
            table[kind] = _origin(kind, component.name, config) + note
    for section in SECTIONS:
        components = getattr(config.transforms, section)
        table[f"transforms.{section}"] = ", ".join(_origin("transform", c.name, config) for c in components) or "none"
    return table


def _origin(kind: str, name: str, config: Config) -> str:
    origin = find(kind, name, config).origin
    return name if origin == "monai.transforms" else f"{name} from {origin}"
