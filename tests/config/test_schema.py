from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, ValidationError

from tests.conftest import ROOT
from trainlib.config.schema import Config


def config(data: dict[str, Any] | None = None, **sections: Any) -> Config:
    required = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "left", "right"]}
    return Config.model_validate({"data": required | (data or {}), **sections})


def _sections() -> list[type[BaseModel]]:
    return [
        cls for cls in vars(__import__("trainlib.config.schema", fromlist=["_"])).values()
        if isinstance(cls, type) and issubclass(cls, BaseModel) and cls.__module__ == "trainlib.config.schema"
    ]  # fmt: skip


@pytest.mark.parametrize("section", _sections(), ids=lambda cls: cls.__name__)
def test_every_setting_is_described_in_a_sentence(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_json_schema_describes_every_section_and_refuses_others() -> None:
    schema = Config.model_json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["required"] == ["data"]
    assert schema["$defs"]["DataSection"]["required"] == ["train_csv", "valid_csv"]


@pytest.mark.parametrize("path", ["classification_2d", "classification_3d", "segmentation_2d", "segmentation_3d"])
def test_an_editor_finds_nothing_wrong_with_a_config_that_is_right(path: str) -> None:
    content = yaml.safe_load((ROOT / "configs" / f"{path}.yaml").read_text())
    jsonschema.validate(content, Config.model_json_schema())


def test_an_editor_misses_classes_in_a_segmentation_alone() -> None:
    csvs = {"train_csv": "a.csv", "valid_csv": "b.csv", "image_cols": ["t1", "t2"]}
    schema = Config.model_json_schema()
    jsonschema.validate({"task": "classification", "data": csvs}, schema)
    for given in ({}, {"task": "segmentation"}):
        with pytest.raises(jsonschema.ValidationError, match="'classes' is a required property"):
            jsonschema.validate({"data": csvs} | given, schema)
    with pytest.raises(jsonschema.ValidationError, match=r"\[\] (should be non-empty|is not valid)"):
        jsonschema.validate({"task": "classification", "data": csvs | {"image_cols": []}}, schema)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        config().data.batch_size = 3  # type: ignore[misc]


def test_one_column_may_be_written_without_a_list() -> None:
    assert config({"image_cols": "t1", "label_cols": "seg"}).data.image_cols == ["t1"]


def test_channels_follow_from_columns_and_classes() -> None:
    both = config({"image_cols": ["t1", "t2"]})
    assert (both.in_channels, both.out_channels) == (2, 3)


@pytest.mark.parametrize(
    ("train", "dims", "size"),
    [
        ([{"SpatialPadd": {"spatial_size": [4, 5, 6]}}], 3, [4, 5, 6]),
        ([{"SpatialPadd": {"spatial_size": [9, 9]}}, {"RandSpatialCropd": {"roi_size": [4, 5]}}], 2, [4, 5]),
        ([{"RandSpatialCropd": {"roi_size": 32}}], 3, [32, 32, 32]),
        ([{"CenterSpatialCropd": {"roi_size": [8, 8]}}, "CropForegroundd"], 2, [8, 8]),
        (["RandFlipd"], 2, [64, 64]),
        ([], 3, [64, 64, 64]),
    ],
)  # fmt: skip
def test_the_window_is_the_last_crop_or_pad(train: list[Any], dims: int, size: list[int]) -> None:
    assert config({"spatial_dims": dims}, transforms={"train": train}).roi_size == size


@pytest.mark.parametrize("dims", [2, 3])
def test_the_default_pipelines_have_the_dimensions_of_the_data(dims: int) -> None:
    transforms = config({"spatial_dims": dims}).transforms
    by_name = {component.name: component.kwargs for component in [*transforms.base, *transforms.train]}
    assert len(by_name["SpatialPadd"]["spatial_size"]) == dims
    assert len(by_name["RandCropByPosNegLabeld"]["spatial_size"]) == dims
    assert ("Orientationd" in by_name) is (dims == 3)


def test_a_pipeline_of_ones_own_leaves_the_other_default() -> None:
    transforms = config({"spatial_dims": 2}, transforms={"train": ["RandFlipd"]}).transforms
    assert [component.name for component in transforms.train] == ["RandFlipd"]
    assert [component.name for component in transforms.base][:2] == ["LoadImaged", "EnsureChannelFirstd"]


@pytest.mark.parametrize(
    ("monitor", "mode", "expected"),
    [
        ("valid/dice", "auto", "max"),
        ("valid/nsd", "auto", "max"),
        ("valid/loss", "auto", "min"),
        ("train/loss", "auto", "min"),
        ("valid/hd", "auto", "min"),
        ("valid/hd95/left", "auto", "min"),
        ("valid/asd", "auto", "min"),
        ("valid/dice/left", "auto", "max"),
        ("valid/dice", "min", "min"),
        ("valid/loss", "max", "max"),
    ],
)
def test_the_better_direction_follows_from_the_metric(monitor: str, mode: str, expected: str) -> None:
    assert config(checkpoint={"monitor": monitor, "mode": mode}).monitor_mode == expected


def test_a_class_named_like_a_distance_does_not_turn_the_direction() -> None:
    named = config({"classes": ["background", "loss", "hd"]}, checkpoint={"monitor": "valid/dice/loss"})
    assert named.monitor_mode == "max"


def test_label_values_are_translated_by_number_and_by_name() -> None:
    values = config({"label_map": {255: 1, 7: "right", 0: "left"}}).label_values
    assert values == {0: 1, 1: 1, 2: 2, 255: 1, 7: 2}


def test_the_disk_cache_lies_beside_the_runs_unless_set() -> None:
    assert config(run={"root": "/r"}).cache_dir == Path("/r/.cache")
    assert config({"cache_dir": "/c"}, run={"root": "/r"}).cache_dir == Path("/c")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.csv", "/d/a.csv"),
        ("../x/a.csv", "/x/a.csv"),
        ("/abs/a.csv", "/abs/a.csv"),
        ("~/a.csv", str(Path.home() / "a.csv")),
    ],
)
def test_a_data_path_starts_from_the_data_root(path: str, expected: str) -> None:
    assert config({"root": "/d"}).data_path(path) == Path(expected)


@pytest.mark.parametrize("name", [".", "..", ".cache", "a/b", "a\\b", "", "a\0b", "a\nb"])
def test_a_run_name_that_would_leave_the_folder_of_runs_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        config(run={"name": name})


@pytest.mark.parametrize("name", ["run", "a.b", "2024-01-01", "Größe 3", "a=b"])
def test_other_run_names_are_accepted(name: str) -> None:
    assert config(run={"name": name}).run.name == name
