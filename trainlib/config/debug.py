"""The config of a debug run: two short epochs on a few cases, with every random transform switched on."""

from __future__ import annotations

from typing import Any

from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.training import TransformsSection

CASES = 5
"""Cases of each split, at most."""
EPOCHS = 2
_SUFFIX = "_debug"
# Arguments of the Trainer that make a training longer, or shorter than two whole epochs, or send what comes out of it.
_LEFT_OUT = (
    "fast_dev_run",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "logger",
    "max_steps",
    "max_time",
    "min_epochs",
    "min_steps",
    "overfit_batches",
    "val_check_interval",
)


def debug_config(config: Config) -> Config:
    """Make a training into one that is over in a moment and shows what every transform does.

    Data, network, loss, optimizer and metrics stay as they are. Nothing is sent or measured, and no report is written:
    its figures would look like results.
    """
    name = config.run.name.removesuffix(_SUFFIX) + _SUFFIX
    cases = min(CASES, config.data.limit_cases or CASES)
    trainer = {key: value for key, value in config.trainer.items() if key not in _LEFT_OUT}
    return config.model_copy(
        update={
            "run": config.run.model_copy(update={"name": name}),
            "data": config.data.model_copy(update={"limit_cases": cases}),
            "transforms": _certain(config.transforms),
            "trainer": trainer | {"max_epochs": EPOCHS, "check_val_every_n_epoch": 1},
            "early_stopping": None,
            "emissions": None,
            "pushover": None,
            "report": None,
        }
    )


def _certain(transforms: TransformsSection) -> TransformsSection:
    """Give every random transform the probability 1."""
    train = [Component(name=component.name, kwargs=_with_prob(component.kwargs)) for component in transforms.train]
    certain = {"prob": _switched_on(transforms.prob), "train": train}
    return transforms.model_copy(update=certain | {"augment_on": "workers"})  # where its windows are looked at


def _with_prob(node: Any) -> Any:
    """Copy keywords with every `prob` in them set to 1, at any depth."""
    if isinstance(node, dict):
        return {key: _switched_on(value) if key == "prob" else _with_prob(value) for key, value in node.items()}
    return [_with_prob(value) for value in node] if isinstance(node, list) else node


def _switched_on(prob: Any) -> Any:
    """Return 1 for a probability; 0 stays, for what is switched off never happens in the training either."""
    number = isinstance(prob, int | float) and not isinstance(prob, bool)
    return 1.0 if number and prob > 0 else prob
