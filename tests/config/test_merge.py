from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.helpers import DATA, config_of, mistakes
from trainlib.config.component import Component
from trainlib.config.load import load_config
from trainlib.config.merge import COMPONENT_SECTIONS, defaults_for, merge, parse_override, place
from trainlib.config.model import Model
from trainlib.config.schema import Config

UNET = {"channels": [16, 32, 64, 128], "strides": [2, 2, 2], "num_res_units": 2, "norm": "instance"}
LIST = "transforms: {train: [LoadImaged, RandFlipd: {spatial_axis: 0}]}\n"


def test_the_sections_of_one_component_are_known() -> None:
    assert COMPONENT_SECTIONS == ("model", "loss", "optimizer", "scheduler", "inferer")


@pytest.mark.parametrize(
    ("base", "later", "merged"),
    [
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": {"x": [1, 2, 3]}}, {"a": {"x": [4]}}, {"a": {"x": [4]}}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"model": {"A": {"x": 1}}}, {"model": {"A": {"y": 2}}}, {"model": {"A": {"x": 1, "y": 2}}}),
        ({"model": {"A": {"x": 1}}}, {"model": "A"}, {"model": {"A": {"x": 1}}}),
        ({"model": "A"}, {"model": {"A": {"y": 2}}}, {"model": {"A": {"y": 2}}}),
        ({"model": {"A": {"x": 1}}}, {"model": {"B": {"y": 2}}}, {"model": {"B": {"y": 2}}}),
        ({"model": {"A": {"x": 1}}}, {"model": "B"}, {"model": {"B": {}}}),
        ({"model": {"A": {"x": 1}}}, {"model": {"A": None}}, {"model": {"A": {"x": 1}}}),
        ({"model": {"A": {"x": 1}}}, {"model": {"A": 5}}, {"model": {"A": 5}}),
        ({"model": {"A": {"x": 1}}}, {"model": {"A": {}, "B": {}}}, {"model": {"A": {}, "B": {}}}),
        ({"model": {"A": {"x": 1}}}, {"model": None}, {"model": None}),
        ({"model": {"A": {}, "weights": "a.ckpt", "channels_last": True, "compile": {"dynamic": False}}},
         {"model": {"B": {}, "compile": {"mode": "max-autotune"}}},
         {"model": {"B": {}, "channels_last": True, "compile": {"dynamic": False, "mode": "max-autotune"}}}),
        ({"model": {"A": {}, "compile": True}}, {"model": {"compile": False}}, {"model": {"A": {}, "compile": False}}),
        ({"loss": {"A": {"x": {"p": 1}}}}, {"loss": {"A": {"x": {"q": 2}}}}, {"loss": {"A": {"x": {"p": 1, "q": 2}}}}),
    ],
)  # fmt: skip
def test_later_wins(base: dict[str, Any], later: dict[str, Any], merged: dict[str, Any]) -> None:
    before = repr(base)
    assert merge(base, later, defaults_for("segmentation")) == merged
    assert repr(base) == before


@pytest.mark.parametrize(
    ("overrides", "name", "kwargs"),
    [
        (["model=SegResNet"], "SegResNet", {}),
        (["model.SegResNet.init_filters=8"], "SegResNet", {"init_filters": 8}),
        (["model=SegResNet", "model.SegResNet.init_filters=8"], "SegResNet", {"init_filters": 8}),
        (["model.SegResNet.init_filters=8", "model.SegResNet.norm=batch"], "SegResNet",
         {"init_filters": 8, "norm": "batch"}),
        (["model={SegResNet: {init_filters: 8}}"], "SegResNet", {"init_filters": 8}),
        (["model.UNet.norm=batch"], "UNet", UNET | {"norm": "batch"}),
        (["model.UNet=null"], "UNet", UNET),
        (["model.UNet.channels[0]=8"], "UNet", UNET | {"channels": [8, 32, 64, 128]}),
        (["model=SegResNet", "model=UNet"], "UNet", UNET),
        (["model={my.nets.Net: {width: 3}}", "model.my.nets.Net.width=4"], "my.nets.Net", {"width": 4}),
    ],
)  # fmt: skip
def test_an_override_of_a_component_replaces_it_or_changes_its_keywords(
    tmp_path: Path, overrides: list[str], name: str, kwargs: dict[str, Any]
) -> None:
    assert config_of(tmp_path, DATA, overrides).model == Model(name=name, kwargs=kwargs)


def test_a_later_file_replaces_a_component_by_another(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DATA + "optimizer: {SGD: {lr: 0.1, momentum: 0.9}}\n")
    (tmp_path / "b.yaml").write_text("optimizer: {SGD: {lr: 0.5}}\n")
    (tmp_path / "c.yaml").write_text("optimizer: Adam\n")
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    assert load_config(files).optimizer == Component(name="SGD", kwargs={"lr": 0.5, "momentum": 0.9})
    assert load_config([*files, tmp_path / "c.yaml"]).optimizer == Component(name="Adam")


def test_the_default_keywords_do_not_reach_another_component(tmp_path: Path) -> None:
    config = config_of(tmp_path, DATA + "optimizer: SGD\nloss: DiceLoss\ninferer: SimpleInferer\n")
    assert [getattr(config, name).kwargs for name in ("optimizer", "loss", "inferer")] == [{}, {}, {}]


@pytest.mark.parametrize("written", ["trainer.max_epochs=3", "--trainer.max_epochs=3"])
def test_both_spellings_of_an_override_do_the_same(tmp_path: Path, written: str) -> None:
    assert config_of(tmp_path, DATA, [written]).trainer == {"max_epochs": 3}


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("trainer.max_epochs=3", ("trainer", "max_epochs"), 3),
        ("--seed=1", ("seed",), 1),
        ("transforms.train[1].RandFlipd.prob=1", ("transforms", "train", 1, "RandFlipd", "prob"), 1),
        ("transforms.train.1.RandFlipd=null", ("transforms", "train", 1, "RandFlipd"), None),
        ("data.label_map.255=1", ("data", "label_map", 255), 1),
        ("data.label_map.-1=0", ("data", "label_map", -1), 0),
        ("data.classes=[a, b]", ("data", "classes"), ["a", "b"]),
        ("run.name=a=b", ("run", "name"), "a=b"),
        ("run.name='2024'", ("run", "name"), "2024"),
        ("data.batch_size=", ("data", "batch_size"), None),
        ("data.root=${run.root}", ("data", "root"), "${run.root}"),
        ("data.root=C:\\data", ("data", "root"), "C:\\data"),
    ],
)
def test_an_override_is_a_key_and_a_yaml_value(text: str, key: tuple[str | int, ...], value: Any) -> None:
    override = parse_override(text)
    assert (override.key, override.value, override.written) == (key, value, text)


@pytest.mark.parametrize("text", ["foo", "=5", "0=1", "a..b=1", "a.=1", "-x=5", "a[x]=1", "a[-1]=1", "a b=1", "--=1"])
def test_a_word_that_is_no_setting_says_what_one_looks_like(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, DATA, [text]) == [f"{text}: expected a setting such as trainer.max_epochs=5."]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seed=[1", "the value is not valid YAML (did not find expected ',' or ']')."),
        ("seed={a: 1, a: 2}", "the value is not valid YAML (found duplicate key a)."),
        ("seed=!!python/name:os.system", "the value is not valid YAML (could not determine a constructor for the tag "
         "'tag:yaml.org,2002:python/name:os.system')."),
        ("run.name=${x", "the value is no valid interpolation. Write it as ${section.key}."),
    ],
)  # fmt: skip
def test_an_override_whose_value_cannot_be_read_says_why(tmp_path: Path, text: str, reason: str) -> None:
    assert mistakes(tmp_path, DATA, [text]) == [f"{text}: {reason}"]


@pytest.mark.parametrize(
    ("override", "train"),
    [
        ("transforms.train[1].RandFlipd.prob=1", ["LoadImaged", {"RandFlipd": {"spatial_axis": 0, "prob": 1}}]),
        ("transforms.train.1.RandFlipd.prob=1", ["LoadImaged", {"RandFlipd": {"spatial_axis": 0, "prob": 1}}]),
        ("transforms.train[0].LoadImaged.ensure_channel_first=true",
         [{"LoadImaged": {"ensure_channel_first": True}}, {"RandFlipd": {"spatial_axis": 0}}]),
        ("transforms.train[1]=RandZoomd", ["LoadImaged", "RandZoomd"]),
        ("transforms.train[1].RandZoomd.prob=1", ["LoadImaged", {"RandZoomd": {"prob": 1}}]),
        ("transforms.train=[RandZoomd]", ["RandZoomd"]),
    ],
)  # fmt: skip
def test_an_item_of_a_list_can_be_overridden(tmp_path: Path, override: str, train: list[Any]) -> None:
    config = config_of(tmp_path, DATA + LIST, [override])
    assert config.model_dump()["transforms"]["train"] == train


def test_a_plain_item_is_replaced_as_it_stands(tmp_path: Path) -> None:
    assert config_of(tmp_path, DATA, ["data.classes[1]=liver"]).data.classes == ["background", "liver"]


@pytest.mark.parametrize(("line", "size"), [("", [64, 64, 64]), ("  spatial_dims: 2\n", [64, 64])])
def test_an_item_of_a_default_pipeline_can_be_overridden(tmp_path: Path, line: str, size: list[int]) -> None:
    train = config_of(tmp_path, DATA + line, ["transforms.train[2].RandFlipd.prob=1"]).transforms.train
    assert train[0] == Component(name="SpatialPadd", kwargs={"spatial_size": size})
    assert train[2] == Component(name="RandFlipd", kwargs={"spatial_axis": 0, "prob": 1})


@pytest.mark.parametrize(
    ("text", "override", "reason"),
    [
        (LIST, "transforms.train[2].A.b=1", "the list has items 0 to 1, so there is no item 2 to set."),
        (LIST, "transforms.train.-1.A.b=1", "the list has items 0 to 1, so there is no item -1 to set."),
        (LIST, "transforms.train.RandFlipd.prob=1", "the list has items 0 to 1, so there is no item RandFlipd to set."),
        ("transforms: {train: []}\n", "transforms.train[0].A.b=1", "the list is empty, so there is no item 0 to set."),
        ("", "transforms.train[99].A.b=1", "the list has items 0 to 6, so there is no item 99 to set."),
        ("", "model.UNet.channels[9]=8", "the list has items 0 to 3, so there is no item 9 to set."),
    ],
)
def test_an_item_that_a_list_does_not_have_is_refused(tmp_path: Path, text: str, override: str, reason: str) -> None:
    assert mistakes(tmp_path, DATA + text, [override]) == [f"{override}: {reason}"]


def test_placing_an_override_changes_nothing_in_place() -> None:
    raw = {"model": {"UNet": {"channels": [1, 2]}}}
    assert place(raw, parse_override("model.UNet.channels[0]=5")) == {"model": {"UNet": {"channels": [5, 2]}}}
    assert raw == {"model": {"UNet": {"channels": [1, 2]}}}


def test_label_values_merge_with_those_of_the_file(tmp_path: Path) -> None:
    config = config_of(tmp_path, DATA + "  label_map: {255: 1, 7: 0}\n", ["data.label_map.255=0"])
    assert config.data.label_map == {255: 0, 7: 0}


def test_a_section_that_is_off_by_default_can_be_switched_on_by_one_key(tmp_path: Path) -> None:
    stopping = config_of(tmp_path, DATA, ["early_stopping.patience=3"]).early_stopping
    assert stopping is not None
    assert stopping.patience == 3
    assert config_of(tmp_path, DATA, ["early_stopping.patience=3", "early_stopping=null"]).early_stopping is None


def test_trainer_keeps_its_defaults_beside_what_is_set(tmp_path: Path) -> None:
    default = Config.model_fields["trainer"].get_default()["max_epochs"]
    config = config_of(tmp_path, DATA + "trainer: {precision: 16-mixed}\n")
    assert config.trainer == {"max_epochs": default, "precision": "16-mixed"}
