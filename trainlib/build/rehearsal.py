"""Try what no constructor finds wrong: schedules that fail when they are stepped, augmentation that fails on a case."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from trainlib.build.components import Horizon, build_optimizer, build_scheduler
from trainlib.build.guards import as_list
from trainlib.build.patches import describe
from trainlib.build.post import slabs
from trainlib.build.resolve import ComponentError, Resolved, resolve
from trainlib.build.roles import IMAGE, LABEL
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.seeding import isolated_random_state

if TYPE_CHECKING:
    import torch

_SIDE = 12
_MOST_VOXELS = 2**21
_LARGEST_ZOOM = 64.0  # of a volume
# What a wrong keyword makes a transform raise on any image; other errors may come from the size of this one.
_CERTAIN = (TypeError, IndexError, KeyError)
# What optimizers raise of weights that lie on another device, or on none, which those of a training may not.
_OF_DEVICES = (AssertionError, RuntimeError)
# No network of MONAI has the gradients that they want.
_WITHOUT_DENSE_GRADIENTS = ("SparseAdam",)


def try_step(config: Config, network: torch.nn.Module | None = None) -> torch.optim.Optimizer | None:
    """Build the optimizer for one weight and take a step, as Lightning does.

    Args:
        config: The config.
        network: The network, whose weights an optimizer of another package gets that wants more than this one.

    Returns:
        The optimizer; None for one that may do with the weights of a training, and cannot be tried here.

    Raises:
        ComponentError: It cannot be built or stepped, and that is sure to be so in a training too.
    """
    import torch

    resolved = resolve("optimizer", ("optimizer",), config.optimizer, config, {}, positional=1)
    weight = torch.nn.Parameter(torch.zeros(1))
    try:
        optimizer = build_optimizer(config, [weight])
    except ComponentError as error:
        if resolved.mistakes or resolved.found.origin.startswith(("torch.", "monai.")):
            raise
        return _try_weights(config, resolved, network, error)

    def closure() -> float:
        loss = weight.sum()
        loss.backward()
        return float(loss.detach())

    try:
        optimizer.step(closure)
    except Exception as error:
        key, name = resolved.key, resolved.found.name
        mistakes = [] if isinstance(error, _OF_DEVICES) else resolved.suspects(error)
        if isinstance(error, ZeroDivisionError) or name.rpartition(".")[2] in _WITHOUT_DENSE_GRADIENTS:
            mistakes = mistakes or [(key, f"{dotted(key)}: {name} fails at its first step: {describe(error)}.")]
        if mistakes:
            raise ComponentError(mistakes) from error
    return optimizer


def _try_weights(
    config: Config, resolved: Resolved, network: torch.nn.Module | None, refusal: ComponentError
) -> torch.optim.Optimizer | None:
    """Build an optimizer of another package, which refuses a lone weight of the CPU, for those of the network."""
    cause = refusal.__cause__
    if isinstance(cause, Exception) and resolved.suspects(cause):
        raise refusal
    if network is None:
        return None
    try:
        return build_optimizer(config, network.parameters())
    except ComponentError as error:
        if isinstance(error.__cause__, _OF_DEVICES):
            return None
        raise


def try_schedule(config: Config, optimizer: torch.optim.Optimizer) -> None:
    """Build the learning-rate schedule and take its first step.

    Raises:
        InputError: It cannot be built.
        ComponentError: It cannot be stepped.
    """
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    schedule = build_scheduler(config, optimizer, Horizon(10, 100))
    if schedule is None or config.scheduler is None:
        return
    scheduler = schedule["scheduler"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer has not been stepped before
            scheduler.step(*([0.0] if isinstance(scheduler, ReduceLROnPlateau) else []))
    except Exception as error:
        key: Key = ("scheduler", config.scheduler.name)
        text = f"{dotted(key)}: {config.scheduler.name} fails at its first step: {describe(error)}."
        raise ComponentError([(key, text)]) from error


def augmentation_mistakes(config: Config, transforms: Sequence[tuple[Resolved, Any]]) -> Iterator[tuple[Key, str]]:
    """Name the transforms of MONAI that cannot work on a case, each tried alone on a small one that is made up.

    Args:
        config: The config.
        transforms: Transforms of `transforms.train`, each after what it was built from.
    """
    from monai.data import set_track_meta
    from monai.data.meta_obj import get_track_meta

    tracked = get_track_meta()
    set_track_meta(False)  # as in a training
    try:
        for resolved, transform in transforms:
            if resolved.found.origin == "monai.transforms" and not _makes_much(resolved.kwargs):
                yield from _failure(config, resolved, transform)
    finally:
        set_track_meta(tracked)


def _makes_much(kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a transform may make a large image of a small one, for which a trial is too dear."""
    for keyword, value in kwargs.items():
        numbers = [number for number in as_list(value) if isinstance(number, int | float)]
        sides = numbers if isinstance(value, list | tuple) else numbers * 3
        if prod(max(1.0, abs(side)) for side in sides) > (_LARGEST_ZOOM if "zoom" in keyword else _MOST_VOXELS):
            return True
    return False


def _failure(config: Config, resolved: Resolved, transform: Any) -> Iterator[tuple[Key, str]]:
    from monai.transforms import RandomizableTransform

    if isinstance(transform, RandomizableTransform) and transform.prob > 0:
        transform.prob = 1.0
    try:
        with isolated_random_state(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            transform(_case(config))
    except _CERTAIN as error:
        name, key = resolved.found.name, resolved.key
        text = f"{dotted(key)}: {name} cannot work with these keywords. ({name} says: {describe(error)})"
        yield from resolved.suspects(error) or [(key, text)]
    except Exception:
        return  # it may do with a larger image, or with one that is no noise


def _case(config: Config) -> dict[str, Any]:
    """Make up a case: an image of noise, and in a segmentation a label with a slab for each class."""
    import torch

    sides = [_SIDE] * config.data.spatial_dims
    case: dict[str, Any] = {IMAGE: torch.rand(config.in_channels, *sides)}
    if config.task == SEGMENTATION:
        case[LABEL] = slabs(config.out_channels, (1, *sides)).to(torch.uint8)
    return case
