"""The section `data`: CSV files, columns, classes and cache."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from trainlib.config.section import Section


def _distinct(names: list[str]) -> list[str]:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise PydanticCustomError("distinct", "Input should be names that differ", {"found": f"{doubled[0]!r} twice"})
    return names


Columns = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
    AfterValidator(_distinct),
]
# Class names become parts of metric names such as `valid/dice/heart`.
ClassName = Annotated[str, Field(pattern=r"^[^/]+$")]


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
    limit_cases: Annotated[int, Field(ge=1)] | None = None
    """Use only the first n cases of the training, validation and test split each, for trying things out."""

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
