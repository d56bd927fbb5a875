"""Does the augmentation make windows of one size of every training case, small ones too?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE, LABEL
from trainlib.check.base import Base
from trainlib.check.finding import Finding
from trainlib.check.grids import sizes
from trainlib.check.survey import Survey
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.config.window import window_setting
from trainlib.data.cache import NoCache
from trainlib.data.dataset import CaseFailure, TrainDataset
from trainlib.data.splits import Case
from trainlib.errors import InputError

Shape = tuple[int, ...]
_MOST_VOXELS = 2**25  # of all shapes that are tried beside the first two of those that are small along the same axes


@dataclass(frozen=True)
class TrialResult:
    """What the augmentation made of an image of some shape.

    Attributes:
        windows: Shapes of the windows; none where it failed.
        failure: Why it failed.
    """

    windows: tuple[Shape, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Windows:
    """What the network is trained on.

    Attributes:
        size: Voxels of a window along each axis.
        per_case: Windows that are cut from a case.
        findings: The cases that give no such window.
    """

    size: Shape
    per_case: int
    findings: list[Finding]


class Augmentation:
    """The training pipeline of a config, to be tried on noise.

    Args:
        config: The config.

    Raises:
        InputError: The pipeline cannot be built.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._pipeline = build_pipeline(config, "train", with_label=config.task == SEGMENTATION)

    def outcome(self, shape: Shape) -> TrialResult:
        """Try the pipeline on an image of noise."""
        case = Case("noise", 0, (Path("noise"),), None, None, "")
        result = TrainDataset([case], _Noise(self.config, shape), self._pipeline, self.config)[0, 0]
        if isinstance(result, CaseFailure):
            return TrialResult(failure=result.sentence.removeprefix(f"{case}: ").rstrip("."))
        return TrialResult(tuple(tuple(item[IMAGE].shape[1:]) for item in result))


class _Noise(NoCache):
    """In place of a prepared case, noise of its shape, with every class in it."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__(self._prepare)
        self.config = config
        self.shape = shape

    def _prepare(self, case: Case) -> dict[str, Any]:
        prepared = {IMAGE: torch.rand(self.config.in_channels, *self.shape)}
        if self.config.task == SEGMENTATION:
            prepared[LABEL] = torch.randint(0, self.config.out_channels, (1, *self.shape), dtype=torch.uint8)
        return prepared


def cut_windows(survey: Survey, base: Base) -> Windows | None:
    """Find out which windows come out of the training cases, and of which cases none of the right size does.

    A case that is smaller than the window is no mistake where the pipeline fills it up, so that it is tried.

    Returns:
        The windows; None where the augmentation cannot be built.
    """
    config, members = survey.config, _by_shape(survey, base)
    window: Shape = tuple(config.roi_size)
    try:
        augmentation = Augmentation(config)
    except InputError:
        return None
    if not members:
        return Windows(window, max(1, len(augmentation.outcome(window).windows)), [])
    outcomes = _outcomes(augmentation, list(members), window)
    usual = _usual(config, outcomes, members)
    findings = [
        survey.finding("error", "window size", case, case.images[0], text, _remedy(config, usual))
        for shape, outcome in outcomes.items()
        if (text := _wrong(config, shape, outcome, usual))
        for case in members[shape]
    ]
    return Windows(usual, max(len(outcome.windows) for outcome in outcomes.values()) or 1, findings)


def _wrong(config: Config, shape: Shape, outcome: TrialResult, usual: Shape) -> str:
    """Say what is wrong with the windows of images of a shape; on noise a transform may fail for other reasons."""
    if outcome.failure:
        small = window_setting(config) is not None and any(a < b for a, b in zip(shape, usual, strict=True))
        if not small:
            return ""
        return f"Measures {sizes(shape)} after transforms.base; in transforms.train {outcome.failure}."
    odd = next((window for window in outcome.windows if window != usual), None)
    if odd is None or config.data.batch_size == 1:
        return ""
    return (
        f"Measures {sizes(shape)} after transforms.base, and {sizes(odd)} after transforms.train, where the windows of "
        f"a batch must all measure {sizes(usual)}."
    )


def _remedy(config: Config, usual: Shape) -> str:
    if window_setting(config) is None:
        return "Bring all images to one size, with Resized or ResizeWithPadOrCropd in transforms.base."
    return f"Put SpatialPadd: {{spatial_size: {list(usual)}}} before the crop in transforms.train."


def _by_shape(survey: Survey, base: Base) -> dict[Shape, list[Case]]:
    """Sort the training cases by the shape they have after the base transforms, where it can be told."""
    members: dict[Shape, list[Case]] = defaultdict(list)
    for case in survey.splits.get("train", []):
        header = survey.image(case).header
        grid = base.grid_after(header) if header is not None and 0 not in header.shape else None
        if grid is not None:
            members[grid.shape].append(case)
    return members


def _outcomes(augmentation: Augmentation, shapes: Sequence[Shape], window: Shape) -> dict[Shape, TrialResult]:
    """Try as few shapes as tell of the others: what is wrong with a large one takes long to find out."""
    alike: dict[tuple[bool, ...], list[Shape]] = defaultdict(list)
    for shape in sorted(shapes, key=lambda shape: min(a / b for a, b in zip(shape, window, strict=True))):
        alike[tuple(a < b for a, b in zip(shape, window, strict=True))].append(shape)
    outcomes: dict[Shape, TrialResult] = {}
    left = _MOST_VOXELS
    for smallest, *others in alike.values():
        first = outcomes[smallest] = augmentation.outcome(smallest)
        if first.windows and set(first.windows) == {window}:
            outcomes |= dict.fromkeys(others, first)
            continue
        others.sort(key=prod)
        for number, shape in enumerate(others):
            known = _like(augmentation.config, outcomes, (smallest, others[0]), shape) if number else None
            if known is None and number and (left := left - prod(shape)) < 0:
                known = TrialResult()  # nothing is said of it
            outcomes[shape] = known or augmentation.outcome(shape)
    return outcomes


def _like(
    config: Config, outcomes: Mapping[Shape, TrialResult], tried: tuple[Shape, Shape], shape: Shape
) -> TrialResult | None:
    """Tell the outcome of a shape from those of two, where these follow a rule: left as they are, or all alike."""
    first, second = (outcomes[one] for one in tried)
    if all(set(outcomes[one].windows) == {one} for one in tried):
        return TrialResult((shape,) * len(second.windows))
    # Windows that are never put into a batch may measure what they will.
    alone = config.data.batch_size == 1 and first.windows and second.windows
    return second if alone or set(first.windows) == set(second.windows) else None


def _usual(config: Config, outcomes: Mapping[Shape, TrialResult], members: Mapping[Shape, Sequence[Case]]) -> Shape:
    """Return the size that windows must have: that of the config, or the one that most cases have."""
    if window_setting(config) is not None:
        return tuple(config.roi_size)
    counts: Counter[Shape] = Counter()
    for shape, outcome in outcomes.items():
        counts.update({window: len(members[shape]) for window in outcome.windows})
    return counts.most_common(1)[0][0] if counts else tuple(config.roi_size)
