from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainlib.config.load import read_config
from trainlib.preflight import component_problems, quick_problems

WriteConfig = Callable[..., Path]


def quick(path: Path, *overrides: str, command: str = "fit") -> list[str]:
    return [problem.text for problem in quick_problems(read_config(path, overrides), command)]


def test_a_right_config_has_no_problem(write_config: WriteConfig) -> None:
    loaded = read_config(write_config())
    assert quick_problems(loaded) == []
    assert component_problems(loaded) == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("checkpoint.monitor=valid/dise",
         "checkpoint.monitor: nothing is logged as valid/dise. Did you mean valid/dice?"),
        ("checkpoint.monitor=test/dice", "checkpoint.monitor: nothing is logged as test/dice."),
        ("checkpoint.monitor=valid/dice/spleen", "checkpoint.monitor: nothing is logged as valid/dice/spleen."),
        ("checkpoint.monitor=valid/dice/background", "checkpoint.monitor: nothing is logged as valid/dice/background."),
        ("checkpoint.monitor=valid/hd95", "checkpoint.monitor: valid/hd95 is not computed in every validation. "
         "Set metrics.surface_every to 1."),
        ("trainer.max_epochs=0", "trainer.max_epochs: expected a positive integer, found 0."),
        ("trainer.max_epochs=-1", "trainer.max_epochs: expected a positive integer, found -1."),
        ("trainer.max_epochs=1.5", "trainer.max_epochs: expected a positive integer, found 1.5."),
        ("trainer.max_epochs=true", "trainer.max_epochs: expected a positive integer, found True."),
        ("trainer.max_epochs=null", "trainer.max_epochs: expected a positive integer, found None."),
        ("patch.model=/no/model.py", "patch.model: there is no script /no/model.py."),
        ("trainer={max_epochs: 1, strategy: fsdp, precision: bf16-mixed}",
         "trainer.precision: expected 32-true with the strategy fsdp, which would round losses and spacings too, found "
         "bf16-mixed. Or set trainer.strategy to ddp."),
        ("data.label_cols=[label, other]", "data.label_cols: segmentation expects one label column"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_told(write_config: WriteConfig, override: str, expected: str) -> None:
    problems = quick_problems(read_config(write_config(), [override]))
    assert problems[0].text.startswith(expected)
    assert problems[0].where == "command line"


@pytest.mark.parametrize(
    "overrides",
    [
        ["checkpoint.monitor=valid/loss"],
        ["checkpoint.monitor=train/loss"],
        ["checkpoint.monitor=valid/dice/organ"],
        ["checkpoint.monitor=valid/hd95", "metrics.surface_every=1"],
        ["checkpoint.monitor=valid/dice/background", "metrics.include_background=true"],
    ],
)
def test_what_is_logged_can_be_monitored(write_config: WriteConfig, overrides: list[str]) -> None:
    assert quick(write_config(), *overrides) == []


@pytest.mark.parametrize(
    ("command", "seen"),
    [("fit", True), ("validate", True), ("test", False), ("predict", False)],
)
def test_only_the_splits_that_a_command_reads_are_looked_at(
    write_config: WriteConfig, command: str, seen: bool
) -> None:
    assert bool(quick(write_config(), "data.valid_csv=no.csv", command=command)) is seen


def test_a_missing_csv_names_its_key_and_path(write_config: WriteConfig, phantom: Path) -> None:
    path = write_config(data={"valid_csv": "no.csv"})
    [problem] = quick_problems(read_config(path))
    assert problem.text == f"data.valid_csv: there is no CSV file {phantom / 'no.csv'}."


@pytest.mark.parametrize(
    "data",
    [
        {"root": 5},
        {"image_cols": 5},
        {"classes": ["a", "a"]},
        {"classes": [False, "organ", "lesion"]},
        {"train_csv": 5},
        {"train_csv": None},
    ],
)
def test_nothing_is_told_about_a_stand_in(write_config: WriteConfig, data: dict[str, Any]) -> None:
    path = write_config(data=data, checkpoint={"monitor": "valid/dice/organ"})
    loaded = read_config(path)
    assert len(loaded.problems) == 1
    assert quick_problems(loaded) == []


def test_a_section_that_is_wrong_altogether_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: 5\n")
    loaded = read_config(path)
    assert len(loaded.problems) == 1
    assert quick_problems(loaded) == []


def test_mistakes_in_components_are_told_beside_those_in_settings(tmp_path: Path, write_config: WriteConfig) -> None:
    path = write_config(data={"batch_sise": 3}, optimizer={"AdamW": {"lrr": 1}})
    loaded = read_config(path)
    line = path.read_text().splitlines().index("    lrr: 1") + 1
    assert loaded.problems[0].text.startswith("data.batch_sise is not a setting.")
    assert [str(problem) for problem in component_problems(loaded)] == [
        f"{path}:{line}: optimizer.AdamW.lrr is not a keyword of AdamW. Did you mean lr?"
    ]


def test_a_window_that_is_no_size_points_to_its_line(write_config: WriteConfig) -> None:
    path = write_config(transforms={"train": [{"RandSpatialCropd": {"roi_size": [16, 16, -1]}}]})
    line = path.read_text().splitlines().index("      roi_size:") + 1
    assert [str(problem) for problem in component_problems(read_config(path))] == [
        f"{path}:{line}: transforms.train[0].RandSpatialCropd.roi_size: expected 3 positive integers, "
        "found [16, 16, -1]: the window must have one size."
    ]


def test_a_window_is_not_compared_with_the_stand_in_for_the_dimensions(write_config: WriteConfig) -> None:
    loaded = read_config(
        write_config(data={"spatial_dims": "2"}, transforms={"train": [{"RandSpatialCropd": {"roi_size": [16, 16]}}]})
    )
    assert [problem.text for problem in loaded.problems if "spatial_dims" not in problem.text] == []
    assert component_problems(loaded) == []


def test_a_config_that_cannot_be_read_has_no_further_problem(tmp_path: Path) -> None:
    loaded = read_config(tmp_path / "no.yaml")
    assert quick_problems(loaded) == []
    assert component_problems(loaded) == []


def test_the_quick_problems_need_no_torch(write_config: WriteConfig) -> None:
    code = (
        "import sys; from trainlib.config.load import read_config; from trainlib.preflight import quick_problems; "
        f"assert not quick_problems(read_config({str(write_config())!r})); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


GRAPHS = "CUDA graphs get gradients wrong that are summed over several batches (accumulate_grad_batches). "
SUMMED = "trainer.accumulate_grad_batches=4"
SCHEDULED = "callbacks=[{GradientAccumulationScheduler: {scheduling: {0: 4}}}]"


@pytest.mark.parametrize(
    ("compiled", "summed", "expected"),
    [
        ("{mode: reduce-overhead}", SUMMED, [f"model.compile.mode: {GRAPHS}"]),
        ("{mode: max-autotune}", SCHEDULED, [f"model.compile.mode: {GRAPHS}"]),
        ("{options: {triton.cudagraphs: true}}", SUMMED, [f"model.compile.options: {GRAPHS}"]),
        ("{mode: max-autotune-no-cudagraphs}", SUMMED, []),
        ("true", SUMMED, []),
        ("{mode: reduce-overhead}", "trainer.accumulate_grad_batches=1", []),
        ("false", SCHEDULED, []),
    ],
)
def test_gradients_are_not_summed_with_cuda_graphs(
    write_config: WriteConfig, compiled: str, summed: str, expected: list[str]
) -> None:
    remedy = "Set mode to default or max-autotune-no-cudagraphs, which use none."
    assert quick(write_config(), f"model.compile={compiled}", summed) == [f"{text}{remedy}" for text in expected]
