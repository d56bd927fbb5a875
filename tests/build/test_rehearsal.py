"""What fails only when it is used is found before it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data.meta_obj import get_track_meta

from tests.build.helpers import config
from trainlib.build.pipelines import check_pipelines
from trainlib.build.rehearsal import try_schedule, try_step
from trainlib.build.resolve import ComponentError


def schedule(spec: Any) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    try_schedule(config(scheduler=spec), torch.optim.SGD([parameter], lr=1.0, momentum=0.9))


@pytest.mark.parametrize(
    "spec",
    [None, "OneCycleLR", {"StepLR": {"step_size": 1}}, "ReduceLROnPlateau", {"CyclicLR": {"base_lr": 0.1}},
     {"WarmupCosineSchedule": {"warmup_steps": 3}}],
)  # fmt: skip
def test_a_schedule_that_can_be_stepped_is_accepted(spec: Any, recwarn: pytest.WarningsRecorder) -> None:
    schedule(spec)
    assert [str(warning.message) for warning in recwarn if "optimizer.step" in str(warning.message)] == []


def test_a_schedule_that_fails_at_its_first_step_is_named() -> None:
    with pytest.raises(ComponentError, match=r"^scheduler\.StepLR: StepLR fails at its first step: ZeroDivisionError"):
        schedule({"StepLR": {"step_size": 0}})


@pytest.mark.parametrize("spec", ["SGD", "AdamW", "Novograd", "Adafactor", {"LBFGS": {"lr": 0.1}}])
def test_an_optimizer_that_can_be_stepped_is_accepted(spec: Any) -> None:
    optimizer = try_step(config(optimizer=spec))
    assert optimizer is not None
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"AdamW": {"betas": [0.9, 0.99, 0.9]}},
            r"^optimizer\.AdamW\.betas: expected a list of 2 numbers, found \[0\.9",
        ),
        (
            "SparseAdam",
            r"^optimizer\.SparseAdam: SparseAdam fails at its first step: RuntimeError: SparseAdam does not",
        ),
    ],
)
def test_an_optimizer_that_fails_at_its_first_step_is_named(spec: Any, expected: str) -> None:
    with pytest.raises(ComponentError, match=expected):
        try_step(config(optimizer=spec))


@pytest.mark.parametrize(
    "keywords", [{"capturable": True}, {"capturable": True, "lr": 1, "betas": [0.9, 0.99]}, {"fused": True}]
)
def test_an_optimizer_of_a_gpu_is_accepted_on_a_machine_without_one(keywords: dict[str, Any]) -> None:
    assert try_step(config(optimizer={"AdamW": keywords})) is not None


THIRD = """
import torch

class Matrices(torch.optim.SGD):
    def __init__(self, params, lr=1e-3):
        params = list(params)
        if any(p.ndim < 2 for p in params):
            raise ValueError("only matrices")
        super().__init__(params, lr=lr)

class OnGpu(torch.optim.SGD):
    def __init__(self, params, lr=1e-3):
        params = list(params)
        if not all(p.is_cuda for p in params):
            raise RuntimeError("CUDA only")
        super().__init__(params, lr=lr)

class StepsOnGpu(torch.optim.SGD):
    def step(self, closure=None):
        raise RuntimeError("expected a tensor of CUDA")
"""


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package with optimizers that want more than a weight of one value on the CPU."""
    (tmp_path / "third_party.py").write_text(THIRD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "third_party", raising=False)


@pytest.mark.usefixtures("third")
@pytest.mark.parametrize("name", ["Matrices", "OnGpu", "StepsOnGpu"])
def test_an_optimizer_of_another_package_may_want_other_weights_than_those_of_the_trial(name: str) -> None:
    try_step(config(optimizer=f"third_party.{name}"), torch.nn.Linear(2, 2, bias=False))


@pytest.mark.usefixtures("third")
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            "Matrices",
            r"^optimizer\.third_party\.Matrices: third_party\.Matrices refuses .*: ValueError: only matrices\.$",
        ),
        ({"OnGpu": {"lrr": 1}}, r"lrr is not a keyword of third_party\.OnGpu\. Did you mean lr\?"),
    ],
)
def test_what_it_refuses_of_the_network_is_told(spec: Any, expected: str) -> None:
    named = {
        f"third_party.{name}": keywords for name, keywords in ({spec: {}} if isinstance(spec, str) else spec).items()
    }
    with pytest.raises(ComponentError, match=expected):
        try_step(config(optimizer=named), torch.nn.Linear(2, 2))


def mistakes(*train: Any, **data: Any) -> list[str]:
    return [text for _, text in check_pipelines(config({**data}, transforms={"base": [], "train": list(train)}))]


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ({"RandFlipd": {"spatial_axis": 3}}, "transforms.train[0].RandFlipd: RandFlipd cannot work with these"),
        ({"RandFlipd": {"spatial_axis": 1.5}}, "transforms.train[0].RandFlipd.spatial_axis: expected a list of"),
        ({"RandCropByPosNegLabeld": {"spatial_size": 4, "label_key": "lable"}},
         "transforms.train[0].RandCropByPosNegLabeld.label_key: expected image or label, found 'lable'."),
        ({"RandFlipd": {"spatial_axis": 0, "prob": 1.5}}, "transforms.train[0].RandFlipd.prob: expected a number"),
    ],
)  # fmt: skip
def test_augmentation_that_no_case_survives_is_named(transform: Any, expected: str) -> None:
    [text] = mistakes(transform)
    assert text.startswith(expected)
    assert get_track_meta()


@pytest.mark.parametrize(
    "transform",
    [
        {"RandFlipd": {"spatial_axis": 3, "prob": 0.0}},  # which is switched off
        {"RandCropByPosNegLabeld": {"spatial_size": [96, 96, 96]}},  # larger than what it is tried on
        {"SpatialPadd": {"spatial_size": [2000, 2000, 2000]}},  # as large as no memory
        {"RandZoomd": {"min_zoom": 1.0, "max_zoom": 900.0}},
        {"RandSpatialCropSamplesd": {"roi_size": [8, 8, 8], "num_samples": 3}},
        "RandBiasFieldd",
    ],
)
def test_what_may_well_work_on_a_case_is_let_pass(transform: Any) -> None:
    assert mistakes(transform) == []


def test_it_is_tried_with_the_channels_and_the_dimensions_of_the_images() -> None:
    assert mistakes({"RandFlipd": {"spatial_axis": 1}}, spatial_dims=2) == []
    assert len(mistakes({"RandFlipd": {"spatial_axis": 2}}, spatial_dims=2)) == 1


def test_the_random_numbers_of_the_process_are_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    mistakes({"RandGaussianNoised": {"std": 0.1}}, "RandAffined")
    assert torch.equal(torch.get_rng_state(), before)
