"""Which settings a search cannot vary, for its trials could not be compared, or could not go on with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainlib.checkpoints.checkpoint import SHAPING
from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.sources import Key
from trainlib.config.tune import TuneSection
from trainlib.config.varied import other_component, parse_key
from trainlib.errors import ConfigError, Problem
from trainlib.folders.searches import judged

# Settings that a search cannot vary, and why.
_FIXED = {
    "run": "the search gives each trial its own folder",
    "tune": "it is the search itself",
    "task": "trials of different tasks cannot be compared",
    "checkpoint": "trials are compared by the same metric",
    "metrics": "trials are compared by the same metric",
    "data.root": "trials are compared on the same cases",
    "data.valid_csv": "trials are compared on the same cases",
    "data.test_csv": "a search does not look at the test cases",
    "data.classes": "trials are compared by the same classes",
    "data.label_map": "trials are compared by the same classes",
    "data.label_cols": "trials are compared by the same classes",
    "data.limit_cases": "trials are compared on the same cases",
    "data.spatial_dims": "trials are compared on the same grid of voxels",
    "trainer.limit_val_batches": "trials are compared on the same cases",
    "trainer.overfit_batches": "trials are compared on the same cases",
    "trainer.fast_dev_run": "trials are compared on the same cases",
    "trainer.devices": "each trial is trained on one device",
    "trainer.num_nodes": "each trial is trained on one device",
    "trainer.strategy": "each trial is trained on one device",
}
_SCORE = "Set tune.metric to a score, such as valid/dice."
_GRID = (
    "validation scores what the base transforms make of image and label, and scores on different voxels or labels "
    "cannot be compared. Of transforms.base only those of intensities can be searched."
)


def key_mistakes(config: Config, tune: TuneSection) -> Iterator[tuple[str, str]]:
    """Yield the key and what is wrong with it, of each that cannot be searched."""
    metric = judged(config).checkpoint.monitor
    loss = metric if [*metric.split("/"), ""][1] == "loss" else ""
    for name in tune.space:
        try:
            key = parse_key(name)
        except ConfigError as error:
            yield name, str(error)
            continue
        dotted = ".".join(map(str, key))
        fixed = next((why for start, why in _FIXED.items() if f"{dotted}.".startswith(f"{start}.")), None)
        within = next((start for start in _FIXED if start.startswith(f"{dotted}.")), None)
        above = next((other for other in tune.space if f"{name}.".startswith(f"{other}.") and other != name), None)
        if fixed:
            yield name, f"{name} cannot be searched: {fixed}."
        elif within:
            yield name, f"{name} cannot be searched as a whole: {within} is part of it, and {_FIXED[within]}."
        elif loss and f"{dotted}.".startswith(("loss.", "patch.loss.")):
            yield name, f"{name} cannot be searched with {loss}: different losses cannot be compared. {_SCORE}"
        elif above:
            yield name, f"{name} is part of {above}, which is searched as a whole. Leave one of them out."
        elif tune.scheduler != "none" and dotted == "trainer.max_epochs":
            yield name, f"{name} cannot be searched with {tune.scheduler}, which compares trials of the same length."
        elif tune.scheduler == "pbt" and (why := _unbequeathable(dotted)):
            yield name, f"{name} cannot be searched with pbt, {why}. Use asha."
        elif (other := other_component(config, key)) is not None:
            yield name, _of_another_component(key, *other)


def _unbequeathable(dotted: str) -> str:
    """Tell why the weights of one trial cannot go on with another value of a setting."""
    if dotted.startswith(SHAPING) or dotted.startswith(("data.image_cols", "data.channels")):
        return "for it shapes the network, whose weights are handed from trial to trial"
    if dotted in ("optimizer", "scheduler", "patch.optimizer", "seed"):
        return "for a training cannot be continued with another one"
    if f"{dotted}.".startswith(("early_stopping.", "trainer.max_steps.", "trainer.max_time.")):
        return "for a copy may have been trained for longer than its own value allows"
    return ""


def _of_another_component(key: Key, place: str, name: str) -> str:
    text = ".".join(map(str, key))
    if name == "null":
        return f"{text} is not in the config, whose {place} is null."
    return f"{text} is not in the config, whose {place} is {name}. Did you mean {place}.{name}.{key[-1]}?"


def grid_mistakes(config: Config, varied: Config | None, values: Mapping[str, Any]) -> list[Problem]:
    """Refuse base transforms of segmentation that may change the voxels or labels on which trials are scored.

    Args:
        config: The config of the search.
        varied: The config with other values of some settings.
        values: The values, by setting.
    """
    if varied is None or config.task != "segmentation":
        return []
    script = config.patch.transforms != varied.patch.transforms
    if script or _scored_on(config) != _scored_on(varied):
        return [Problem(f"{', '.join(values)} cannot be searched: {_GRID}")]
    return []


def _scored_on(config: Config) -> list[Component]:
    """List the base transforms but those that change intensities alone."""
    from trainlib.build.lookup import find
    from trainlib.build.roles import changes_intensity

    return [one for one in config.transforms.base if not changes_intensity(find("transform", one.name, config).target)]
