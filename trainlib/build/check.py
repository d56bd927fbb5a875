"""Check every component of a config without reading data, and list what each stands for."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

from trainlib.build.components import Horizon, build_inferer, build_loss, build_model, build_optimizer, build_scheduler
from trainlib.build.lookup import find
from trainlib.build.patches import describe, patched
from trainlib.build.pipelines import SECTIONS, check_pipelines
from trainlib.build.resolve import collect
from trainlib.build.trainer import trainer_mistakes
from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.errors import InputError
from trainlib.suggest import did_you_mean

if TYPE_CHECKING:
    import torch

# Arguments of the Trainer that trainlib sets itself, and what to do instead.
_OWN = {
    "callbacks": "Use the sections of the config that switch callbacks on.",
    "logger": "Leave it out: TensorBoard and metrics.csv are always written.",
    "default_root_dir": "Use run.root and run.name.",
    "enable_checkpointing": "Use the section checkpoint.",
    "use_distributed_sampler": "Leave it out: each case goes to exactly one process anyway.",
    "barebones": "Leave it out: a run without checkpoints and logs cannot be resumed or reported.",
}


def check_components(config: Config) -> list[tuple[Key, str]]:
    """Build everything that the config names on no data, and collect all mistakes.

    Args:
        config: The config to check.

    Returns:
        Key and sentence of each mistake.
    """
    import torch

    mistakes: list[tuple[Key, str]] = []
    network = collect(lambda: _build_weightless(config), mistakes, ("model",))
    collect(lambda: build_loss(config), mistakes, ("loss",))
    collect(lambda: build_inferer(config), mistakes, ("inferer",))
    optimizer = collect(lambda: _try_optimizer(config, network), mistakes, ("optimizer",))
    if optimizer is None:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    collect(lambda: build_scheduler(config, optimizer, Horizon(10, 100)), mistakes, ("scheduler",))
    # Several components may rest on one and the same mistake, such as that of the window.
    return list(dict.fromkeys(mistakes + check_pipelines(config) + check_trainer(config)))


def _build_weightless(config: Config) -> Any:
    """Build the network without memory for its weights; networks that cannot are built in full."""
    import torch

    try:
        with torch.device("meta"):
            return build_model(config)
    except Exception:
        return build_model(config)


def _try_optimizer(config: Config, network: torch.nn.Module | None) -> torch.optim.Optimizer | None:
    """Build the optimizer; one of a patch for the network's parameters, which it may sort by name or shape."""
    import torch

    if config.patch.optimizer is None:
        return build_optimizer(config, [torch.nn.Parameter(torch.zeros(1))])
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
    mistakes: list[tuple[Key, str]] = []
    for name in config.trainer:
        key: Key = ("trainer", name)
        if name in _OWN:
            mistakes.append((key, f"trainer.{name} is set by trainlib. {_OWN[name]}"))
        elif name not in known:
            hint = did_you_mean(str(name), set(known) - set(_OWN), "trainer.")
            mistakes.append((key, f"trainer.{name} is not an argument of lightning.Trainer.{hint}"))
    mistakes += trainer_mistakes(config.trainer)
    return mistakes or _refused_values(config)


def _refused_values(config: Config) -> list[tuple[Key, str]]:
    """Make a Trainer of no use, to learn which values it refuses."""
    from lightning import Trainer
    from lightning.fabric.plugins.environments import LightningEnvironment

    logging.disable(logging.INFO)  # what it says of the machine is said again when it counts
    try:
        # Who has started the processes is not asked here.
        plugins = {} if config.trainer.get("plugins") else {"plugins": [LightningEnvironment()]}
        Trainer(**config.trainer | plugins, logger=False, enable_checkpointing=False)
    except Exception as error:  # Lightning raises errors of many kinds
        return [(("trainer",), f"trainer: lightning.Trainer refuses these arguments: {describe(error)}.")]
    finally:
        logging.disable(logging.NOTSET)
    return []


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
