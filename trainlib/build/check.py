"""Check every component of a config without reading data, and list what each stands for."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from trainlib.build.components import Horizon, build_inferer, build_loss, build_model, build_optimizer, build_scheduler
from trainlib.build.lookup import find
from trainlib.build.patches import describe, patched
from trainlib.build.pipelines import SECTIONS, check_pipelines
from trainlib.build.resolve import collect
from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.suggest import did_you_mean

# Arguments of the Trainer that trainlib sets itself, and what to do instead.
_OWN = {
    "callbacks": "Use the sections of the config that switch callbacks on.",
    "logger": "Leave it out: TensorBoard and metrics.csv are always written.",
    "default_root_dir": "Use run.root and run.name.",
    "enable_checkpointing": "Use the section checkpoint.",
    "use_distributed_sampler": "Leave it out: the data module distributes the cases.",
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
    collect(lambda: _build_weightless(config), mistakes, ("model",))
    collect(lambda: build_loss(config), mistakes, ("loss",))
    collect(lambda: build_inferer(config), mistakes, ("inferer",))
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    if config.patch.optimizer is None:
        optimizer = collect(lambda: build_optimizer(config, [parameter]), mistakes, ("optimizer",)) or optimizer
    collect(lambda: build_scheduler(config, optimizer, Horizon(10, 100)), mistakes, ("scheduler",))
    return mistakes + check_pipelines(config) + check_trainer(config)


def _build_weightless(config: Config) -> Any:
    """Build the network without memory for its weights; networks that cannot are built in full."""
    import torch

    try:
        with torch.device("meta"):
            return build_model(config)
    except Exception:
        return build_model(config)


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
    return mistakes or _refused_values(config)


def _refused_values(config: Config) -> list[tuple[Key, str]]:
    """Make a Trainer of no use, to learn which values it refuses."""
    from lightning import Trainer

    logging.disable(logging.INFO)  # what it says of the machine is said again when it counts
    try:
        Trainer(**config.trainer, logger=False, enable_checkpointing=False)
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
