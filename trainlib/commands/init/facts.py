"""What the files of a project are written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainlib.config.defaults import CLASSIFICATION
from trainlib.config.schema import Config
from trainlib.data.phantom import CLASSES, FINDINGS

CSVS = {f"{split}_csv": f"{split}.csv" for split in ("train", "valid", "test")}


@dataclass(frozen=True)
class Facts:
    """What is known of a project.

    Attributes:
        name: Name of its runs.
        task: ``segmentation`` or ``classification``.
        dims: Spatial dimensions, 2 or 3.
        data: Settings of the section ``data`` that follow from the data.
        size: Voxels along each axis of the window, or of the whole image in classification.
        spacing: Voxel size in mm to resample to; None where files have none, or are not known.
        channels: Channels of each image file; None where they are not known.
        nifti: Whether images are NIfTI.
        demo: Whether data are generated.
        known: Whether data were read or generated, or a config was there already.
    """

    name: str
    task: str
    dims: int
    data: dict[str, Any]
    size: list[int]
    spacing: list[float] | None = None
    channels: int | None = None
    nifti: bool = True
    demo: bool = False
    known: bool = False

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several classes."""
        return self.task == CLASSIFICATION and len(self.data["label_cols"]) > 1

    @property
    def rgb(self) -> bool:
        """Whether generated data in place of these must be colour pictures."""
        return self.dims == 2 and not self.nifti and self.channels == 3 and len(self.data["image_cols"]) == 1

    @property
    def phantom(self) -> str:
        """The options of `trainlib phantom` that generate data of this kind."""
        columns = len(self.data["image_cols"])
        options = {
            "--dims 2": self.dims == 2,
            "--format nifti": self.dims == 2 and self.nifti,
            "--task classification": self.task == CLASSIFICATION,
            "--multilabel": self.multilabel,
            f"--channels {columns}": columns > 1,
            "--rgb": self.rgb,
        }
        return "".join(f" {option}" for option, wanted in options.items() if wanted)

    @property
    def phantom_data(self) -> dict[str, Any]:
        """The section ``data`` for such generated data, laid over that of the project."""
        columns = len(self.data["image_cols"])
        classes = FINDINGS if self.task == CLASSIFICATION else CLASSES
        return {
            **CSVS,
            "image_cols": ["image"] if columns == 1 else [f"image_{number}" for number in range(columns)],
            "label_cols": FINDINGS if self.multilabel else ["label"],
            "classes": classes,
            **({"label_map": {k: _within(k, classes) for k in m}} if (m := self.data.get("label_map")) else {}),
            "channels": 3 if self.rgb else 1,
            "group_col": None,
        }


def facts_of(config: Config) -> Facts:
    """Tell what follows from the config that a project has already."""
    data = {name: getattr(config.data, name) for name in ("image_cols", "label_cols", "classes", "label_map")}
    nifti = config.data.spatial_dims == 3
    return Facts(
        config.run.name,
        config.task,
        config.data.spatial_dims,
        data,
        config.roi_size,
        channels=config.data.channels,
        nifti=nifti,
        known=True,
    )


def _within(value: int | str, classes: list[str]) -> int | str:
    """Return what a key of `data.label_map`, which an overlay cannot take away, may stand for among other classes."""
    return value if value in range(len(classes)) else classes[1]


def unknown(name: str, task: str, dims: int) -> Facts:
    """Tell what is taken for granted where there are no data yet."""
    segmentation = task != CLASSIFICATION
    classes = ["background", "organ"] if segmentation else ["benign", "malignant"]
    data = {"root": "data", **CSVS, "image_cols": ["image"], "label_cols": ["label"], "classes": classes}
    size = [64] * 3 if dims == 3 else [128] * 2
    return Facts(name, task, dims, data, size, nifti=dims == 3)
