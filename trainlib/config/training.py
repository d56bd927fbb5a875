"""Sections on how a network is trained: transforms, early stopping, checkpoint, metrics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from trainlib.config.component import Component
from trainlib.config.defaults import SEGMENTATION, base_pipeline, train_pipeline
from trainlib.config.section import Section

Probability = Annotated[float, Field(ge=0, le=1)]


def _components(specs: list[Any]) -> list[Component]:
    return [Component.model_validate(spec) for spec in specs]


class TransformsSection(Section):
    """The pipelines, each a list of components in the order they are applied."""

    prob: Probability = 0.2
    """Probability of random transforms that set none of their own."""
    base: list[Component] = Field(default_factory=lambda: _components(base_pipeline(SEGMENTATION, 3)))
    """Transforms of every split; deterministic, hence cached. Default: load, RAS, one size to classify, normalise."""
    train: list[Component] = Field(default_factory=lambda: _components(train_pipeline(SEGMENTATION, 3)))
    """Augmentation. Default: 64-voxel crops around foreground in segmentation, flips, small rotations, noise."""
    augment_on: Literal["workers", "device"] = "workers"
    """Who augments: the processes that load, or for the last of `train`, those that keep the shape, the GPU itself."""
    post: list[Component] = []
    """Transforms of the predicted label map of a segmentation, key `pred`, shape (1, ...)."""


class EarlyStoppingSection(Section):
    """When to stop a training that no longer improves."""

    patience: Annotated[int, Field(ge=1)] = 20
    """Validations without improvement after which training stops."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """Least change that counts as an improvement."""


class CheckpointSection(Section):
    """Which metric decides what the best checkpoint is."""

    monitor: str = "valid/dice"
    """Metric that is watched, for early stopping and plateau schedulers too."""
    mode: Literal["auto", "min", "max"] = "auto"
    """Whether a smaller or a larger value of it is better; `auto` knows by its name."""

    @field_validator("monitor")
    @classmethod
    def _name_split(cls, monitor: str) -> str:
        """Refuse a metric without its split, for the nearest name would be anything."""
        if "/" not in monitor:
            split, _, name = monitor.rpartition("_")  # other tools write val_loss
            found = f"{monitor!r}. Did you mean {'train' if split == 'train' else 'valid'}/{name}?"
            raise PydanticCustomError("monitor", "Input should be a metric of a split", {"found": found})
        return monitor


class TrainerGuardSection(Section):
    """What is done about a training loss that is not finite."""

    max_nonfinite: Annotated[int, Field(ge=0)] = 0
    """Batches of the whole training that may be skipped because their loss is not finite; one more ends it."""


class MetricsSection(Section):
    """What is computed for each case."""

    include_background: bool = False
    """Score the background like any other class."""
    surface_every: Annotated[int, Field(ge=0)] = 0
    """Compute surface distances in every n-th validation; 0 leaves them to the end of the training."""
    nsd_tolerance: Annotated[float, Field(ge=0)] = 1.0
    """Tolerance of the normalised surface Dice in mm."""


class LearningRateSection(Section):
    """Lightning's learning-rate monitor."""

    logging_interval: Literal["epoch", "step"] = "epoch"
    """Log the learning rate at the start of each epoch, or in every logged step."""
