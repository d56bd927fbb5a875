"""Try the post-processing on made-up label maps, since no signature tells what it returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trainlib.build.patches import blame, describe
from trainlib.build.resolve import Resolved
from trainlib.build.roles import PREDICTION
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.seeding import isolated_random_state

if TYPE_CHECKING:
    import torch

# Sides of the label maps: a filter by size may well empty the small one, so that the large one has the last word.
_SIDES = {2: (12, 512), 3: (12, 64)}
_RULE = "post-processing gets the label map itself; argmax and one-hot are done already"


def post_mistakes(config: Config, transforms: Sequence[tuple[Resolved, Any]]) -> Iterator[tuple[Key, str]]:
    """Name the first transform that does not turn a label map into a label map.

    Args:
        config: The config.
        transforms: Each transform of `transforms.post`, after what it was built from.
    """
    for resolved, _ in transforms:
        if resolved.found.target.__module__.startswith("monai.transforms.io"):
            text = f"predictions are written without it. Take {resolved.found.name} out."
            yield resolved.key, f"{dotted(resolved.key)}: {text}"
            return
    small, large = _SIDES[config.data.spatial_dims]
    with isolated_random_state(0):
        mistake = _first_mistake(config, transforms, small)
        if mistake is not None and _first_mistake(config, transforms, large) is None:
            mistake = None
    if mistake is not None:
        yield mistake


def _first_mistake(config: Config, transforms: Sequence[tuple[Resolved, Any]], side: int) -> tuple[Key, str] | None:
    """Apply the transforms one after the other to a label map; return the key and sentence of the first failure."""
    label_map = slabs(config.out_channels, (1, *[side] * config.data.spatial_dims))
    case: Any = {PREDICTION: label_map}
    for resolved, transform in transforms:
        name, here = resolved.found.name, dotted(resolved.key)
        try:
            case = transform(case)
            fault = _fault(case[PREDICTION], tuple(label_map.shape), config.out_channels)
        except Exception as error:  # transforms raise errors of many kinds
            if resolved.found.origin.endswith(".py"):
                where = blame(error, resolved.found.origin)
                return resolved.key, f"{where}: {name} failed on a label map: {describe(error)}."
            fault = f"raises {describe(error)}"
        if fault:
            return resolved.key, f"{here}: {fault}: {_RULE}. Take {name} out."
    return None


def slabs(classes: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Make a label map in which every class has a slab of its own."""
    import torch

    voxels = torch.Size(shape).numel()
    return (torch.arange(voxels) * classes // voxels).reshape(shape)


def _fault(result: Any, shape: tuple[int, ...], classes: int) -> str | None:
    """Tell what keeps the result of a transform from being a label map, or from depending on its input."""
    import torch

    result = torch.as_tensor(result)
    if tuple(result.shape) != shape:
        return f"returns shape {tuple(result.shape)} for a label map of shape {shape}"
    values = result.double().unique()
    wrong = values[~((values >= 0) & (values < classes) & (values == values.round()))]
    if wrong.numel():
        return f"returns {wrong[0].item():g}, which is no class"
    return f"returns {values[0].item():g} everywhere" if values.numel() == 1 else None
