"""Statistics of images and labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from trainlib.debug.statistics import describe, overview, pooled, table


def test_statistics_are_those_of_numpy() -> None:
    array = np.random.default_rng(0).normal(3, 2, (1, 5, 6, 7)).astype(np.float32)
    array[0, 0] = 0
    found = describe(torch.as_tensor(array))
    assert (found.shape, found.dtype, found.values) == ((1, 5, 6, 7), "float32", None)
    expected = [array.min(), array.max(), array.mean(), array.std(), 42 / 210]
    assert [found.min, found.max, found.mean, found.std, found.zeros] == pytest.approx(expected, rel=1e-5)


def test_a_label_has_its_values_listed() -> None:
    found = describe(torch.tensor([[3, 0, 3], [0, 0, 1]], dtype=torch.uint8), label=True)
    assert (found.values, found.dtype, found.zeros) == ((0.0, 1.0, 3.0), "uint8", 0.5)


def test_several_tensors_are_described_as_one() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(size, generator=generator) + size for size in (40, 7, 200)]
    both, whole = pooled([describe(part) for part in parts]), describe(torch.cat(parts))
    for name in ("count", "min", "max", "mean", "std", "zeros"):
        assert getattr(both, name) == pytest.approx(getattr(whole, name))


def test_what_is_not_finite_shows() -> None:
    assert math.isnan(describe(torch.tensor([1.0, float("nan")])).mean)
    assert math.isnan(describe(torch.tensor([1.0, float("inf")])).std)


def test_the_table_has_a_row_for_each_case_and_the_overview_a_line_for_each_key() -> None:
    rows = [
        ("base", "image", "a", describe(torch.tensor([[0.0, 4.0]]))),
        ("base", "image", "b", describe(torch.tensor([[0.0, 2.0, 1.0]]))),
        ("base", "label", "a", describe(torch.tensor([[0, 2]], dtype=torch.uint8), label=True)),
    ]
    assert table(rows)[0] == {
        "stage": "base", "key": "image", "case": "a", "shape": "1 x 2", "dtype": "float32",
        "min": "0", "max": "4", "mean": "2", "std": "2", "zeros": "50.0 %", "values": "",
    }  # fmt: skip
    lines = [line.split() for line in overview(rows)]
    assert lines[0] == ["stage", "key", "shape", "dtype", "min", "max", "mean", "std", "zeros", "values"]
    assert lines[1][:7] == ["base", "image", "1", "x", "2", "...", "float32"]
    assert lines[1][7:10] == ["0", "4", "1.4"]
    assert lines[2][-2:] == ["0", "2"]


def test_a_label_with_many_values_is_cut_short() -> None:
    [row] = table([("file", "label", "a", describe(torch.arange(300), label=True))])
    assert row["values"].startswith("0 1 2 3")
    assert row["values"].endswith("19 ... (300 values)")
