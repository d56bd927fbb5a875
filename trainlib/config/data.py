"""The section `data`: CSV files, columns, classes and cache."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from trainlib.config.section import Section


def _distinct(names: list[str]) -> list[str]:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise PydanticCustomError("distinct", "Input should be names that differ", {"found": f"{doubled[0]!r} twice"})
    return names


def _needed_by_task(schema: dict[str, Any]) -> None:
    """Let `classes` be needed where the task says so: in the schema of the whole config."""
    schema["required"].remove("classes")


def _several(names: list[str]) -> list[str]:
    """Accept no classes, for they may be found in the training CSV, but not a single one."""
    if len(names) == 1:
        raise PydanticCustomError("too_short", "Input should be at least 2 of them", {"min_length": 2})
    return names


Columns = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
    AfterValidator(_distinct),
    # One column needs no list, which editors should know too.
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
# Class names become parts of metric names such as `valid/dice/heart`.
ClassName = Annotated[str, Field(pattern=r"^[^/]+$")]


class DataSection(Section):
    """The CSV files, what their columns mean, and how cases reach the network."""

    model_config = ConfigDict(json_schema_extra=_needed_by_task)

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
    """Column of the labels; in classification several columns of 0 and 1 make a multi-label task."""
    classes: Annotated[list[ClassName], AfterValidator(_several), AfterValidator(_distinct)]
    """Names of the classes: in segmentation in the order of their label values, background first; in classification
    in the order of the network's outputs, and if left out the sorted values of the training CSV."""
    label_map: dict[int | str, int | str] = {}
    """Label values, or in classification cells, and the class value, or class name, each stands for."""
    channels: Annotated[int, Field(ge=1)] | None = None
    """Channels of each image file, such as 3 for RGB; null reads them from the first training image."""
    balance: bool = False
    """Draw training cases so that all classes come equally often; classification only."""
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
    prepare: Literal["beforehand", "on_demand"] = "beforehand"
    """Run the base transforms of all cases before the first epoch, which tells every fault at once, or of each case
    when it is first needed, so that training starts at once."""
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that prepare cases; `auto` asks cores, memory and the open-file limit."""
    limit_cases: Annotated[int, Field(ge=1)] | None = None
    """Use only the first n cases of the training, validation and test split each, for trying things out."""

    @model_validator(mode="after")
    def _check_memory(self) -> DataSection:
        """Refuse workers that would each keep the cases that they come across."""
        if self.prepare == "on_demand" and self.cache == "memory" and self.num_workers != 0:
            raise PydanticCustomError(
                "prepare",
                "Input should be beforehand, for with data.cache: memory each worker would keep its own cases",
                {"key": ("data", "prepare"), "found": "'on_demand'. Set data.cache to disk, or data.num_workers to 0"},
            )
        return self

    @field_validator("label_map")
    @classmethod
    def _check_targets(cls, label_map: dict[int | str, int | str], info: ValidationInfo) -> dict[int | str, int | str]:
        """Compare what label values are sent to with the classes, unless these are wrong themselves."""
        classes = info.data.get("classes")
        for value, target in label_map.items():
            if classes and target not in classes and target not in range(len(classes)):
                raise PydanticCustomError(
                    "label_map",
                    "Input should be one of the classes {names} or their values 0 to {last}",
                    {
                        "key": ("data", "label_map", str(value)),
                        "found": repr(target),
                        "names": ", ".join(classes),
                        "last": len(classes) - 1,
                    },
                )
        return label_map
