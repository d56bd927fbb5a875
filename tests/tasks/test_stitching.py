"""Windows put together slab by slab give what MONAI's sliding window gives, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.inferers import Inferer, SimpleInferer, SlidingWindowInferer, SlidingWindowInfererAdapt
from torch import nn

from trainlib.tasks import stitching
from trainlib.tasks.stitching import slabs

CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "gaussian": ((40, 37, 29), {"roi_size": [16, 16, 16], "mode": "gaussian", "overlap": 0.5, "sw_batch_size": 4}),
    "constant": ((40, 37, 29), {"roi_size": [16, 12, 8], "overlap": 0.25, "sw_batch_size": 3}),
    "one window at a time": ((40, 20, 17), {"roi_size": 16, "mode": "gaussian", "overlap": 0.7}),
    "an overlap for each axis": ((33, 30, 30), {"roi_size": [16, -1, 16], "overlap": [0.5, 0.3, 0.6]}),
    "smaller than the window": ((10, 37, 7), {"roi_size": [16] * 3, "padding_mode": "replicate", "sw_batch_size": 4}),
    "padded with a value": ((40, 9, 9), {"roi_size": [16] * 3, "mode": "gaussian", "cval": 2.0, "sw_batch_size": 5}),
    "exactly the window": ((16, 16, 16), {"roi_size": [16] * 3, "sw_batch_size": 2}),
    "a picture": ((101, 83), {"roi_size": [32, 32], "mode": "gaussian", "overlap": 0.6, "sw_batch_size": 4}),
    "stitched on the CPU": ((40, 20, 17), {"roi_size": [16] * 3, "cpu_thresh": 100, "sw_batch_size": 4}),
    "weights kept": ((40, 20, 17), {"roi_size": [16] * 3, "mode": "gaussian", "cache_roi_weight_map": True}),
    "through a buffer": ((40, 20, 17), {"roi_size": [16] * 3, "buffer_steps": 2, "sw_batch_size": 2}),
}


def put_together(inferer: Inferer, image: torch.Tensor, network: Any) -> torch.Tensor:
    """Collect all slabs, each row of each case once."""
    cases: list[list[torch.Tensor]] = [[] for _ in image]
    for slab in slabs(inferer, image, network):
        assert sum(part.shape[1] for part in cases[slab.item]) == slab.start
        cases[slab.item].append(slab.logits)
        assert slab.start + slab.logits.shape[1] <= slab.size
    return torch.stack([torch.cat(parts, dim=1) for parts in cases])


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let also small images have many slabs."""
    monkeypatch.setattr(stitching, "_VALUES", 20_000)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_slabs_are_what_the_inferer_returns(case: str, half: bool) -> None:
    shape, settings = CASES[case]
    torch.manual_seed(0)
    network = (nn.Conv3d if len(shape) == 3 else nn.Conv2d)(2, 5, 3, padding=1)
    image, inferer = torch.randn(3, 2, *shape), SlidingWindowInferer(**settings)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        assert torch.equal(put_together(inferer, image, network), inferer(image, network))


@pytest.mark.parametrize(
    "inferer", [SimpleInferer(), SlidingWindowInfererAdapt([16] * 3), SlidingWindowInferer([16] * 3, with_coord=True)]
)
def test_the_result_of_another_inferer_is_divided(inferer: Inferer) -> None:
    def network(window: torch.Tensor, *_: object) -> torch.Tensor:
        return torch.cat([window, -window], dim=1)

    image = torch.randn(2, 1, 40, 20, 17)
    assert torch.equal(put_together(inferer, image, network), inferer(image, network))


def test_a_network_whose_map_is_smaller_than_its_window_is_left_to_monai() -> None:
    image, inferer = torch.randn(1, 1, 40, 32, 32), SlidingWindowInferer([16] * 3, overlap=0.5)
    assert torch.equal(put_together(inferer, image, nn.AvgPool3d(2)), inferer(image, nn.AvgPool3d(2)))


def test_rows_are_finished_before_all_windows_are_through_the_network() -> None:
    calls = []

    def network(window: torch.Tensor) -> torch.Tensor:
        calls.append(len(window))
        return window.expand(-1, 4, -1, -1, -1).clone()

    inferer = SlidingWindowInferer([16] * 3, overlap=0.5, sw_batch_size=4)
    found = [(sum(calls), slab.logits.numel()) for slab in slabs(inferer, torch.randn(1, 1, 64, 32, 32), network)]
    through, sizes = zip(*found, strict=True)
    assert through[0] < through[-1] / 4
    assert max(sizes) <= 20_000
    assert sum(sizes) == 4 * 64 * 32 * 32
