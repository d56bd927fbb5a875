"""The settings: every key, its type, its default and its one-line description, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from trainlib.config.component import Component, spelt_out
from trainlib.config.data import DataSection
from trainlib.config.defaults import SEGMENTATION, TASK, with_defaults
from trainlib.config.model import Model
from trainlib.config.section import Section
from trainlib.config.training import (
    CheckpointSection,
    EarlyStoppingSection,
    LearningRateSection,
    MetricsSection,
    TrainerGuardSection,
    TransformsSection,
)
from trainlib.config.tune import TuneSection
from trainlib.config.watching import EmissionsSection, ProgressSection, PushoverSection, ReportSection
from trainlib.config.window import window_size


class RunSection(Section):
    """Where the results go."""

    # No hidden folders: `.cache` beside the runs is the disk cache, and `..` would leave `root`.
    name: Annotated[str, Field(pattern=r"^[^/\\.\x00-\x1f][^/\\\x00-\x1f]*$")] = "run"
    """Name of the run and of its folder; a name that is taken gets a number."""
    root: str = "runs"
    """Folder that holds the run folders."""
    overwrite: bool = False
    """Delete an earlier run of the same name instead of numbering the new one."""


class PatchSection(Section):
    """Python files with your own code."""

    transforms: str | None = None
    """File whose classes and functions are looked up first for every transform."""
    model: str | None = None
    """File that defines `get_model(config)`."""
    loss: str | None = None
    """File that defines `get_loss(config)`."""
    optimizer: str | None = None
    """File that defines `get_optimizer(config, parameters)`."""


def _default(section: str) -> Component:
    """Return the component of a section in segmentation; `with_defaults` knows those of other tasks."""
    return Component.model_validate(TASK[SEGMENTATION][section])


# A classification finds its classes in the training CSV.
_NEEDED_BY_TASK: dict[str, Any] = {
    "if": {"properties": {"task": {"const": "classification"}}, "required": ["task"]},
    "else": {"properties": {"data": {"required": ["classes"]}}},
}


def _loggers(trainer: dict[str, Any]) -> list[Any]:
    """List what stands under ``trainer.logger``."""
    given = trainer.get("logger")
    return [] if given is None else given if isinstance(given, list) else [given]


class Config(Section):
    """Everything that decides what a run does."""

    model_config = ConfigDict(json_schema_extra=_NEEDED_BY_TASK)

    run: RunSection = RunSection()
    """Name and place of the run folder."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Every random draw follows from it."""
    task: Literal["segmentation", "classification"] = "segmentation"
    """What the network is trained to do."""
    data: DataSection
    """CSV files, columns, classes, batches and cache."""
    transforms: TransformsSection = Field(default_factory=TransformsSection)
    """Base transforms, augmentation and post-processing."""
    model: Model = Model.model_validate(TASK[SEGMENTATION]["model"])
    """Network, and what it starts from. Default: a small UNet, in classification a small DenseNet."""
    loss: Component = _default("loss")
    """Loss. Default: DiceCELoss, in classification CrossEntropyLoss, with several label columns BCEWithLogitsLoss."""
    optimizer: Component = Component(name="AdamW", kwargs={"lr": 2e-3})
    """Optimizer."""
    scheduler: Component | None = Component(name="OneCycleLR")
    """Learning-rate schedule; null keeps the learning rate constant."""
    inferer: Component = _default("inferer")
    """How whole images are predicted in validation, test and predict."""
    trainer: dict[str, Any] = {"max_epochs": 100}
    """Arguments of `lightning.Trainer`; `logger` names loggers of Lightning, beside TensorBoard and metrics.csv."""
    callbacks: list[Component] = []
    """Callbacks of Lightning, or of your own by dotted path, that act in the training after those of trainlib."""
    trainer_guard: TrainerGuardSection = TrainerGuardSection()
    """Skip batches whose loss is not finite, or end the training."""
    early_stopping: EarlyStoppingSection | None = None
    """Stop when the monitored metric no longer improves; null never does."""
    checkpoint: CheckpointSection = CheckpointSection()
    """The metric that chooses the best checkpoint."""
    metrics: MetricsSection = MetricsSection()
    """Metrics and how often they are computed."""
    lr_monitor: LearningRateSection | None = LearningRateSection()
    """Log the learning rate; null does not."""
    progress: ProgressSection | None = ProgressSection()
    """Draw how the network learns, and a GIF of it; null draws nothing."""
    report: ReportSection | None = ReportSection()
    """Write `report.html` at the end; null writes none."""
    emissions: EmissionsSection | None = EmissionsSection()
    """Measure energy and CO2; null measures nothing."""
    pushover: PushoverSection | None = None
    """Send messages by Pushover; null sends none."""
    patch: PatchSection = PatchSection()
    """Your own code."""
    tune: TuneSection | None = None
    """A search for good settings; read by `trainlib tune` alone."""

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, raw: Any) -> Any:
        """Add the defaults that depend on the task, or on whether images are 2-D or 3-D."""
        return with_defaults(raw) if isinstance(raw, dict) else raw

    @model_validator(mode="after")
    def _check_label_values(self) -> Config:
        """Accept cells as keys of `data.label_map` in classification only, where labels are cells."""
        for value in self.data.label_map if self.task == SEGMENTATION else ():
            if isinstance(value, str):
                hint = ". Take the quotes away" if value.lstrip("-").isdigit() else ""
                key = ("data", "label_map", value)
                found = f"{value!r}{hint}"
                raise PydanticCustomError("label_map", "Input should be an integer", {"key": key, "found": found})
        return self

    @field_validator("trainer")
    @classmethod
    def _check_loggers(cls, trainer: dict[str, Any]) -> dict[str, Any]:
        """Refuse loggers that are no components."""
        for spec in _loggers(trainer):
            try:
                spelt_out(spec)
            except PydanticCustomError as error:
                context = {"found": repr(spec), **(error.context or {}), "key": ("trainer", "logger")}
                raise PydanticCustomError(error.type, error.message_template, context) from None
        return trainer

    @property
    def loggers(self) -> list[Component]:
        """The loggers beside those of trainlib."""
        return [Component.model_validate(spec) for spec in _loggers(self.trainer)]

    @property
    def spreads_network(self) -> bool:
        """Whether the weights are spread over the processes."""
        return str(self.trainer.get("strategy")).lower().startswith("fsdp")

    @property
    def in_channels(self) -> int:
        """Channels of the network's input: those of all image columns; of one each, where it is not known yet."""
        return len(self.data.image_cols) * (self.data.channels or 1)

    @property
    def out_channels(self) -> int:
        """Channels of the network's output, one for each class."""
        return len(self.data.classes)

    @property
    def multilabel(self) -> bool:
        """Whether a case may have several classes, each with a label column of its own, or none."""
        return self.task == "classification" and len(self.data.label_cols) > 1

    @property
    def roi_size(self) -> list[int]:
        """Size in voxels of the window that the network sees: the last crop, pad or resize of the pipelines."""
        return window_size(self)

    @property
    def monitor_mode(self) -> Literal["min", "max"]:
        """Whether a smaller or a larger value of the monitored metric is better."""
        if self.checkpoint.mode != "auto":
            return self.checkpoint.mode
        # `split/metric` or `split/metric/class`: a class may have any name.
        metric = [*self.checkpoint.monitor.split("/"), ""][1]
        return "min" if metric in ("loss", "hd", "hd95", "asd", "missed", "false_positive") else "max"

    @property
    def scored_by(self) -> dict[str, Any]:
        """What the monitored metric follows from; two values of it can be compared where this is the same."""
        of_loss = self.checkpoint.monitor.endswith("/loss")
        loss = [self.loss.model_dump(mode="json"), self.patch.loss and Path(self.patch.loss).name]
        computed = [self.metrics.include_background, self.metrics.nsd_tolerance]
        return {"monitor": self.checkpoint.monitor, "mode": self.monitor_mode, "by": loss if of_loss else computed}

    @property
    def label_values(self) -> dict[int, int]:
        """Label value in the files -> class value, for every value that may stand in a label."""
        classes = self.data.classes
        values = {value: value for value in range(len(classes))}
        for value, target in self.data.label_map.items():
            values[int(value)] = classes.index(target) if isinstance(target, str) else target
        return values

    @property
    def label_cells(self) -> dict[str, int]:
        """Cell of a label column -> class value, for every cell that may stand there; classification only."""
        if self.multilabel:
            return {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "False": 0, "True": 1}
        classes = self.data.classes
        cells = {name: value for value, name in enumerate(classes)}
        for cell, target in self.data.label_map.items():
            cells[str(cell)] = classes.index(target) if isinstance(target, str) else target
        return cells

    @property
    def cache_dir(self) -> Path:
        """Folder of the disk cache."""
        return Path(self.data.cache_dir or Path(self.run.root) / ".cache")

    def data_path(self, path: str) -> Path:
        """Resolve a path of a CSV or inside a CSV: absolute, below the home folder (`~`) or below `data.root`.

        The data root stands in front of a relative path; symbolic links are kept as they are.
        """
        return Path(os.path.abspath(os.path.join(os.path.expanduser(self.data.root), os.path.expanduser(path))))
