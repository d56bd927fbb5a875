"""What went wrong with a case, in one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from trainlib.build.patches import blame, describe
from trainlib.build.pipelines import resolve_transform
from trainlib.build.roles import IMAGE, LABEL
from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.data.labels import MapLabels
from trainlib.data.positions import Positions
from trainlib.errors import DataError
from trainlib.memory import memory_remedy, ran_out_of_memory

# What MONAI says of files that it cannot stack to channels.
_APART = "of all images should be the same for channel-wise concatenation"


class _Step(NamedTuple):
    """A transform that failed.

    Attributes:
        transform: The transform.
        data: What went into it: a mapping, or after a crop into several a list of them.
        pipeline: All transforms of its pipeline.
    """

    transform: Any
    data: Any
    pipeline: Sequence[Any]


def explain_failure(error: BaseException, config: Config, section: str = "base") -> str:
    """Say in one sentence why a pipeline failed.

    Args:
        error: What it raised.
        config: The config.
        section: The pipeline, ``base`` or ``train``.

    Returns:
        The place of the transform in the config, the line in a patch script, the shapes that went in, the first cause.
    """
    cause = [*_chain(error)][-1]
    if isinstance(cause, DataError):
        return str(cause)
    if _APART in str(cause):
        return (
            f"the files of data.image_cols do not lie on one grid ({describe(cause)}). Resample them to one, or give "
            "each case images that were stored together."
        )
    step = _failed_step(error)
    name = _place(step, config, section) if step else f"transforms.{section}"
    script = config.patch.transforms
    line = f" ({where})" if script and ":" in (where := blame(cause, script)).removeprefix(script) else ""
    shapes = f" on {found}" if step and (found := _shapes(step.data)) else ""
    remedy = f" Memory ran out. {memory_remedy(config)}" if ran_out_of_memory(cause) else ""
    return f"{name} failed{line}{shapes}: {describe(cause)}.{remedy}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes; MONAI wraps what a transform raises, for each list of crops once more."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _failed_step(error: BaseException) -> _Step | None:
    """Find the transform that failed and what went into it, which MONAI does not tell but the frames still hold."""
    found: _Step | None = None
    pipeline: Sequence[Any] = ()
    for link in _chain(error):
        for frame, _ in traceback.walk_tb(link.__traceback__):
            name, values = frame.f_code.co_name, frame.f_locals
            if name == "execute_compose" and found is None:
                pipeline = values.get("transforms", ())
            elif name == "apply_transform" and (found is None or values.get("transform") is found.transform):
                # The last of its frames has one crop, not the list of them.
                found = _Step(values.get("transform"), values.get("data"), pipeline)
    return found


def _place(step: _Step, config: Config, section: str) -> str:
    """Name a transform as it stands in the config, ``transforms.train[2].RandFlipd``."""
    own = [transform for transform in step.pipeline if not isinstance(transform, MapLabels | Positions)]
    position = next((i for i, transform in enumerate(own) if transform is step.transform), None)
    name = getattr(step.transform, "__name__", type(step.transform).__name__)
    item = step.data[0] if isinstance(step.data, list) and step.data else step.data
    with_label = isinstance(item, dict) and LABEL in item
    keys = []
    for i, component in enumerate(getattr(config.transforms, section)):
        resolved = resolve_transform(config, section, i, component)
        # Without a label the pipeline has no transforms of the label alone.
        if with_label or set(resolved.kwargs.get("keys", [IMAGE])) != {LABEL}:
            keys.append(resolved.key)
    return dotted(keys[position]) if position is not None and position < len(keys) else f"transforms.{section}: {name}"


def _shapes(data: Any) -> str:
    """List the shapes of what went into a transform, without a batch axis: ``image (1, 24, 24, 14)``."""
    if isinstance(data, list) and data:
        return f"{len(data)} crops, the first of them {_shapes(data[0])}"
    if not isinstance(data, dict):
        return ""
    shapes = {key: value.shape for key, value in data.items() if hasattr(value, "shape")}
    return ", ".join(f"{key} {tuple(shape)}" for key, shape in shapes.items())


def wrong_result(data: Any, section: str, *, with_label: bool) -> str:
    """Say what is wrong with what a pipeline returned; nothing where it is of the kind that it must be.

    Args:
        data: A mapping, or after a crop into several a list of them.
        section: The pipeline, ``base`` or ``train``.
        with_label: Whether there must be a label.
    """
    wanted = [IMAGE, LABEL] if with_label else [IMAGE]
    for item in data if isinstance(data, list) and data else [data]:
        if not isinstance(item, dict):
            found = type(item).__name__
        elif missing := [key for key in wanted if key not in item]:
            found = f"a mapping without {' and '.join(map(repr, missing))}"
        elif odd := [key for key in wanted if not hasattr(item[key], "shape")]:
            found = f"{type(item[odd[0]]).__name__} as {odd[0]!r}"
        else:
            continue
        names = " and ".join(map(repr, wanted))
        return (
            f"expected a mapping with tensors {names} after transforms.{section}, found {found}. Each transform must "
            "return the data it was given, changed or not."
        )
    return ""
