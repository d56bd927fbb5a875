"""What is told of two environments that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainlib import Config
from trainlib.commands.reproduce.environment import (
    Environment,
    compare_environments,
    present_environment,
    read_environment,
)

FACTS = {
    "python": "3.11.7",
    "platform": "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36",
    "cpu": "AMD EPYC 7763",
    "instructions": "AVX2",
    "gpus": ["NVIDIA A100"],
    "precision": "bf16-mixed",
    "cuda": "12.8",
    "cudnn": 91002,
    "torch": "2.13.0+cu128",
    "threads": 8,
    "host": "alpha",
}
DATA = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ"]}
PACKAGES = {"torch": "2.13.0", "monai": "1.6.1", "rich": "15.0.0", "nvidia-cudnn-cu12": "9.10.2"}


def environment(packages: dict[str, str] | None = None, **facts: Any) -> Environment:
    return Environment(FACTS | facts, PACKAGES | (packages or {}))


@pytest.mark.parametrize(
    ("facts", "what", "decisive"),
    [
        ({"python": "3.11.9"}, "python", False),
        ({"cpu": "Intel Xeon"}, "cpu", True),
        ({"instructions": "AVX512"}, "instructions", True),
        ({"gpus": []}, "gpus", True),
        ({"precision": "32-true"}, "precision", True),
        ({"cuda": None}, "cuda", True),
        ({"platform": "Linux-6.8.0-41-generic-x86_64-with-glibc2.36"}, "platform", False),
        ({"platform": "Linux-6.1.0-18-amd64-x86_64-with-glibc2.41"}, "platform", True),
        ({"platform": "macOS-15.3-arm64-arm-64bit"}, "platform", True),
    ],
)
def test_facts_that_change_figures_are_marked(facts: dict[str, Any], what: str, decisive: bool) -> None:
    [found] = compare_environments(environment(), environment(**facts))
    assert (found.what, found.decisive) == (what, decisive)


@pytest.mark.parametrize(
    ("packages", "decisive"),
    [({"monai": "1.6.2"}, True), ({"rich": "16.0"}, False), ({"nvidia-cudnn-cu12": "9.15"}, True)],
)
def test_packages_that_change_figures_are_marked(packages: dict[str, str], decisive: bool) -> None:
    [found] = compare_environments(environment(), environment(packages))
    [(name, version)] = packages.items()
    assert (found.what, found.then, found.now, found.decisive) == (name, PACKAGES[name], version, decisive)


def test_equal_environments_and_other_hosts_do_not_differ() -> None:
    assert compare_environments(environment(), environment(host="beta")) == []


def test_what_counts_comes_first() -> None:
    found = compare_environments(environment(), environment({"rich": "16.0", "monai": "1.6.2"}, python="3.12.0"))
    assert [other.what for other in found] == ["monai", "python", "rich"]


def test_a_package_that_came_or_went_has_no_version() -> None:
    [found] = compare_environments(environment({"extra": "1"}), environment())
    assert (found.then, found.now) == ("1", "")


def test_the_build_of_torch_counts_too() -> None:
    [found] = compare_environments(environment(), environment(torch="2.13.0+cpu"))
    assert (found.what, found.then, found.now) == ("torch", "2.13.0+cu128", "2.13.0+cpu")


def test_spellings_of_a_package_and_the_version_of_trainlib_make_no_difference() -> None:
    one, other = environment({"PyYAML": "6", "trainlib": "0.1"}), environment({"pyyaml": "6", "trainlib": "0.2"})
    assert compare_environments(one, other) == []


def test_what_an_older_snapshot_lacks_is_not_compared() -> None:
    old = Environment({"python": "3.11.7"}, {})
    assert compare_environments(old, environment()) == []


def test_the_environment_of_this_process_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    now = present_environment(Config.model_validate({"data": DATA}))
    (tmp_path / "environment.json").write_text(json.dumps(now.facts))
    (tmp_path / "requirements.txt").write_text("".join(f"{name}=={v}\n" for name, v in now.packages.items()))
    then = read_environment(tmp_path)
    assert then == now
    assert compare_environments(then, now) == []
    assert then.packages["monai"]
    assert then.facts["cpu"]


def test_a_damaged_snapshot_has_no_environment(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text("[1")
    assert read_environment(tmp_path) == Environment({}, {})
