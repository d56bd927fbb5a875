"""By the JSON Schema an editor accepts what is right, marks what is misspelt and offers names and keywords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from trainlib.build.schema import config_schema

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_no_mistake_is_found_in_the_examples(validator: jsonschema.Draft202012Validator, path: Path) -> None:
    assert list(validator.iter_errors(yaml.safe_load(path.read_text()))) == []


@pytest.mark.parametrize(
    "text",
    [
        "model: my_package.nets.MyNet",
        "model: {my_package.nets.MyNet: {depth: 3}, freeze: [encoder]}",
        "model: {UNet: {channels: [4, 8]}, weights: runs/first}",
        "model: {bundle: spleen}",
        "model: {UNet: {channels: [4, 8]}, channels_last: true, compile: true}",
        "model: {UNet: {channels: [4, 8]}, compile: {mode: reduce-overhead, dynamic: false, options: {a: 1}}}",
        "scheduler: null",
        "transforms: {train: [MyTransformd, {OtherTransformd: {speed: 3}}]}",
        "trainer: {max_epochs: 3, logger: [CSVLogger, {MLFlowLogger: {experiment_name: a}}]}",
        "trainer: {logger: CSVLogger}",
        "callbacks: [{EMAWeightAveraging: {decay: 0.9}}]",
        "data: {image_cols: t1, label_cols: [a, b]}",
    ],
)
def test_what_the_loader_accepts_is_accepted(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "model: UNett",
        "model: {UNet: {channel: [4, 8]}}",
        "model: {UNet: {channels: [4, 8]}, weight: runs/first}",
        "model: {UNet: {channels: [4, 8]}, compile: 3}",
        "model: {UNet: {channels: [4, 8]}, compile: {mod: default}}",
        "loss: {DiceLoss: {}, DiceCELoss: {}}",
        "optimizer: {AdamW: {lrr: 1}}",
        "scheduler: StepLr",
        "inferer: {SlidingWindowInferer: {overlapp: 0.5}}",
        "transforms: {base: [{Spacingd: {pixdimm: [1, 1, 1]}}]}",
        "callbacks: [EMA]",
        "trainer: {max_epoch: 3}",
        "trainer: {logger: CSVLoger}",
        "data: {image_cols: 3}",
    ],
)
def test_what_is_misspelt_is_marked(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_keywords_are_offered_with_what_they_expect_and_their_default() -> None:
    schema: dict[str, Any] = config_schema()["$defs"]["model"]["anyOf"][1]["properties"]["UNet"]
    assert schema["properties"]["channels"]["description"] == "a list of integers"
    assert schema["properties"]["num_res_units"]["description"] == "an integer, default 0"
