"""The settings: every key, its type, its default and its one-line description, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from trainlib.config.component import Component
from trainlib.config.defaults import BASE, TRAIN, with_pipelines
from trainlib.config.window import window_size


def _distinct(names: list[str]) -> list[str]:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise PydanticCustomError("distinct", "Input should be names that differ", {"found": f"{doubled[0]!r} twice"})
    return names


Probability = Annotated[float, Field(ge=0, le=1)]
Columns = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
    AfterValidator(_distinct),
]
# Class names become parts of metric names such as `valid/dice/heart`.
ClassName = Annotated[str, Field(pattern=r"^[^/]+$")]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values are not coerced, nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class RunSection(Section):
    """Where the results go."""

    # No hidden folders: `.cache` beside the runs is the disk cache, and `..` would leave `root`.
    name: Annotated[str, Field(pattern=r"^[^/\\.\x00-\x1f][^/\\\x00-\x1f]*$")] = "run"
    """Name of the run and of its folder; a name that is taken gets a number."""
    root: str = "runs"
    """Folder that holds the run folders."""
    overwrite: bool = False
    """Delete an earlier run of the same name instead of numbering the new one."""


class DataSection(Section):
    """The CSV files, what their columns mean, and how cases reach the network."""

    root: str = "."
    """Folder that the CSV files and the relative paths inside them start from."""
    train_csv: str
    """CSV that lists the training cases."""
    valid_csv: str
    """CSV that lists the validation cases."""
    test_csv: str | None = None
    """CSV that lists the test cases; without it nothing is tested."""
    predict_csv: str | None = None
    """CSV that lists the cases to predict; without it `predict` takes the test cases."""
    image_cols: Columns = ["image"]
    """Column of the images; several columns become the channels of one image."""
    label_cols: Columns = ["label"]
    """Column of the labels."""
    classes: Annotated[list[ClassName], Field(min_length=2), AfterValidator(_distinct)]
    """Names of the classes in the order of their label values, background first."""
    label_map: dict[int, int | str] = {}
    """Label values in the files and the class value, or class name, each stands for."""
    spatial_dims: Literal[2, 3] = 3
    """Number of spatial dimensions of the images."""
    group_col: str | None = None
    """Column that names the patient; no patient may be in two splits."""
    batch_size: Annotated[int, Field(ge=1)] = 2
    """Cases in a training batch."""
    cache: Literal["none", "memory", "disk"] = "disk"
    """Where the results of the base transforms are kept."""
    cache_dir: str | None = None
    """Folder of the disk cache; shared by all runs. Default: `.cache` in `run.root`."""
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that prepare cases; `auto` asks cores, memory and the open-file limit."""

    @field_validator("label_map")
    @classmethod
    def _check_targets(cls, label_map: dict[int, int | str], info: ValidationInfo) -> dict[int, int | str]:
        """Compare what label values are sent to with the classes, unless these are wrong themselves."""
        classes = info.data.get("classes")
        for value, target in label_map.items():
            if classes is not None and target not in classes and target not in range(len(classes)):
                raise PydanticCustomError(
                    "label_map",
                    "Input should be one of the classes {names} or their values 0 to {last}",
                    {"value": value, "found": repr(target), "names": ", ".join(classes), "last": len(classes) - 1},
                )
        return label_map


def _components(specs: list[Any]) -> list[Component]:
    return [Component.model_validate(spec) for spec in specs]


class TransformsSection(Section):
    """The pipelines, each a list of components in the order they are applied."""

    prob: Probability = 0.2
    """Probability of random transforms that set none of their own."""
    base: list[Component] = Field(default_factory=lambda: _components(BASE[3]))
    """Transforms of every split; deterministic, hence cached. Default: load, RAS, normalise."""
    train: list[Component] = Field(default_factory=lambda: _components(TRAIN[3]))
    """Augmentation. Default: random 64-voxel crops around foreground, flips, small rotations, noise."""
    post: list[Component] = []
    """Transforms of the predicted label map, key `pred`, shape (1, ...)."""


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


class MetricsSection(Section):
    """What is computed for each case."""

    include_background: bool = False
    """Score the background like any other class."""
    surface_every: Annotated[int, Field(ge=0)] = 0
    """Compute surface distances in every n-th validation; 0 leaves them to the end of the training."""
    nsd_tolerance: Annotated[float, Field(ge=0)] = 1.0
    """Tolerance of the normalised surface Dice in mm."""


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


class Config(Section):
    """Everything that decides what a run does."""

    run: RunSection = RunSection()
    """Name and place of the run folder."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Every random draw follows from it."""
    task: Literal["segmentation"] = "segmentation"
    """What the network is trained to do."""
    data: DataSection
    """CSV files, columns, classes, batches and cache."""
    transforms: TransformsSection = Field(default_factory=TransformsSection)
    """Base transforms, augmentation and post-processing."""
    model: Component = Component(
        name="UNet",
        kwargs={"channels": [16, 32, 64, 128], "strides": [2, 2, 2], "num_res_units": 2, "norm": "instance"},
    )
    """Network."""
    loss: Component = Component(name="DiceCELoss", kwargs={"to_onehot_y": True, "softmax": True})
    """Loss; called with the network's output and the label map of shape (batch, 1, ...)."""
    optimizer: Component = Component(name="AdamW", kwargs={"lr": 2e-3})
    """Optimizer."""
    scheduler: Component | None = Component(name="OneCycleLR")
    """Learning-rate schedule; null keeps the learning rate constant."""
    inferer: Component = Component(
        name="SlidingWindowInferer", kwargs={"overlap": 0.5, "mode": "gaussian", "sw_batch_size": 4}
    )
    """How whole images are predicted in validation, test and predict."""
    trainer: dict[str, Any] = {"max_epochs": 100}
    """Arguments of `lightning.Trainer`."""
    early_stopping: EarlyStoppingSection | None = None
    """Stop when the monitored metric no longer improves; null never does."""
    checkpoint: CheckpointSection = CheckpointSection()
    """The metric that chooses the best checkpoint."""
    metrics: MetricsSection = MetricsSection()
    """Metrics and how often they are computed."""
    patch: PatchSection = PatchSection()
    """Your own code."""

    @model_validator(mode="before")
    @classmethod
    def _fill_pipelines(cls, raw: Any) -> Any:
        """Give `transforms.base` and `transforms.train` the defaults for 2-D or for 3-D images."""
        return with_pipelines(raw) if isinstance(raw, dict) else raw

    @property
    def in_channels(self) -> int:
        """Channels of the network's input."""
        return len(self.data.image_cols)

    @property
    def out_channels(self) -> int:
        """Channels of the network's output, one for each class."""
        return len(self.data.classes)

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
    def label_values(self) -> dict[int, int]:
        """Label value in the files -> class value, for every value that may stand in a label."""
        classes = self.data.classes
        values = {value: value for value in range(len(classes))}
        for value, target in self.data.label_map.items():
            values[value] = classes.index(target) if isinstance(target, str) else target
        return values

    @property
    def cache_dir(self) -> Path:
        """Folder of the disk cache."""
        return Path(self.data.cache_dir or Path(self.run.root) / ".cache")

    def data_path(self, path: str) -> Path:
        """Resolve a path of a CSV or inside a CSV: absolute, below the home folder (`~`) or below `data.root`.

        The data root stands in front of a relative path; symbolic links are kept as they are.
        """
        return Path(os.path.abspath(os.path.join(os.path.expanduser(self.data.root), os.path.expanduser(path))))
