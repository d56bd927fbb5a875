"""The section tune: what a setting may be drawn from, and how files and overrides add to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainlib.config.load import dump_config, load_config, read_config
from trainlib.config.varied import other_component, parse_key, vary

SPACE = {"optimizer.AdamW.lr": {"loguniform": [1e-4, 1e-2]}, "model.UNet.num_res_units": {"choice": [1, 2, 3]}}


def test_the_complete_config_reads_back_equal(write_config: Callable[..., Path], tmp_path: Path) -> None:
    config = load_config(write_config(tune={"trials": 3, "space": SPACE}))
    assert config.tune is not None
    assert config.tune.space["optimizer.AdamW.lr"].values == [1e-4, 1e-2]
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "again.yaml") == config


def test_without_the_section_there_is_no_search(write_config: Callable[..., Path]) -> None:
    assert load_config(write_config()).tune is None


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        ({"loguniform": [0, 1]}, r"expected \[low, high\] with 0 below low and low below high for loguniform"),
        ({"uniform": [1, 0.5]}, r"expected \[low, high\] with low below high for uniform, found \[1, 0.5\]"),
        ({"uniform": [0]}, "for uniform, found"),
        ({"uniform": [0, "1"]}, "for uniform, found"),
        ({"uniform": [0, float("inf")]}, "for uniform, found"),
        ({"quniform": [0, 1, 2]}, "for quniform, found"),
        ({"randint": [1.5, 3]}, "expected two integers"),
        ({"lograndint": [0, 8]}, "expected two integers"),
        ({"choice": [1]}, "at least two different values for choice"),
        ({"choice": [1, 1]}, "at least two different values for choice"),
        ({"choice": [1, 2], "uniform": [0, 1]}, "expected one kind with its values, .*found choice, uniform"),
        ({"loguniforn": [1e-4, 1e-2]}, "a kind of distribution, found 'loguniforn'. Did you mean loguniform?"),
        (3, "expected one kind with its values"),
    ],
)
def test_what_nothing_can_be_drawn_from_is_refused_with_its_line(
    write_config: Callable[..., Path], distribution: Any, expected: str
) -> None:
    path = write_config(tune={"space": {"optimizer.AdamW.lr": distribution}})
    [problem] = read_config(path).problems
    assert problem.text.startswith("tune.space.optimizer.AdamW.lr: ")
    assert re.search(expected, problem.text)
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "optimizer.AdamW.lr:" in text)
    assert problem.where == f"{path}:{line}"


def test_an_override_replaces_a_distribution_or_adds_one(write_config: Callable[..., Path]) -> None:
    overrides = ["tune.space.optimizer.AdamW.lr.uniform=[0.1, 0.2]", "tune.space.transforms.prob.choice=[0.1, 0.2]"]
    config = load_config(write_config(tune={"space": SPACE}), [*overrides, "tune.trials=7"])
    assert config.tune is not None
    assert config.tune.trials == 7
    kinds = {key: distribution.kind for key, distribution in config.tune.space.items()}
    assert kinds == {"optimizer.AdamW.lr": "uniform", "model.UNet.num_res_units": "choice", "transforms.prob": "choice"}


def test_a_config_is_varied_as_overrides_would(write_config: Callable[..., Path]) -> None:
    path = write_config()
    values = {"optimizer.AdamW.lr": 0.5, "transforms.train[2].RandFlipd.prob": 0.75, "data.batch_size": 3}
    overrides = [f"{key}={value}" for key, value in values.items()]
    assert vary(load_config(path), values).config == load_config(path, overrides)


def test_a_key_of_another_component_is_found(write_config: Callable[..., Path]) -> None:
    config = load_config(write_config())
    assert other_component(config, parse_key("optimizer.SGD.lr")) == ("optimizer", "AdamW")
    assert other_component(config, parse_key("transforms.train[2].RandZoomd.prob")) == (
        "transforms.train[2]",
        "RandFlipd",
    )
    assert other_component(config, parse_key("optimizer.AdamW.lr")) is None
    assert other_component(config, parse_key("model")) is None
