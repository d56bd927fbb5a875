"""What is told of two runs that differ."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from trainlib.commands.reproduce.comparison import compare_cases, compare_metrics
from trainlib.commands.reproduce.weights import TensorDifference, compare_weights, hash_weights

STATE = {
    "network.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "network.scale": torch.tensor(2.0, dtype=torch.bfloat16),
    "network.steps": torch.tensor(7),
    "network.mask": torch.tensor([True, False]),
    "network.empty": torch.empty(0, 4),
}


def changed(**tensors: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in STATE.items()} | {f"network.{n}": t for n, t in tensors.items()}


def metrics(*losses: str, **columns: str) -> dict[tuple[str, ...], dict[str, str]]:
    rows = [{"epoch": str(i), "train/loss": loss, "seconds": "1.5", **columns} for i, loss in enumerate(losses)]
    return {(row["epoch"],): row for row in rows}


def cases(**dices: str) -> dict[tuple[str, ...], dict[str, str]]:
    return {("test", name, "organ"): {"split": "test", "case": name, "class": "organ", "dice": dice}
            for name, dice in dices.items()}  # fmt: skip


def test_the_hash_is_that_of_names_types_shapes_and_bytes() -> None:
    state = {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor(3)}
    expected = hashlib.sha256()
    expected.update(b"a\ntorch.int64\n()\n" + np.int64(3).tobytes())
    expected.update(b"b\ntorch.float32\n(2,)\n" + np.float32([1, 2]).tobytes())
    assert hash_weights(state) == expected.hexdigest()


def test_equal_weights_have_equal_hashes_whatever_their_order_and_layout() -> None:
    other = dict(reversed(changed().items()))
    other["network.weight"] = other["network.weight"].t().contiguous().t()
    assert hash_weights(other) == hash_weights(STATE)
    assert compare_weights(STATE, other) == []


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": STATE["network.weight"] + torch.eye(2, 3) * 1e-6},
        {"weight": STATE["network.weight"].reshape(3, 2)},
        {"weight": STATE["network.weight"].double()},
        {"scale": torch.tensor(2.02, dtype=torch.bfloat16)},
        {"mask": torch.tensor([True, True])},
        {"more": torch.tensor(0)},
        {"empty": torch.empty(4, 0)},
    ],
)
def test_any_difference_changes_the_hash_and_names_the_tensor(tensors: dict[str, torch.Tensor]) -> None:
    other = changed(**tensors)
    assert hash_weights(other) != hash_weights(STATE)
    assert [found.name for found in compare_weights(STATE, other)] == [f"network.{name}" for name in tensors]


def test_the_largest_difference_and_the_share_of_values_are_told() -> None:
    weight = STATE["network.weight"].clone()
    weight[0, 1], weight[1, 2] = 1.5, 4.75
    assert compare_weights(STATE, changed(weight=weight)) == [TensorDifference("network.weight", "", 0.5, 2 / 6)]


def test_a_not_a_number_that_stays_one_is_no_difference() -> None:
    weight = torch.full((2, 3), float("nan"))
    assert compare_weights(changed(weight=weight), changed(weight=weight.clone())) == []


def test_shapes_types_and_tensors_of_one_run_alone_are_told() -> None:
    other = changed(weight=torch.zeros(2, 4), steps=torch.tensor(7.0))
    del other["network.scale"]
    assert {found.name: found.what for found in compare_weights(STATE, other)} == {
        "network.weight": "(2, 3), then (2, 4)",
        "network.steps": "torch.int64, then torch.float32",
        "network.scale": "only then",
    }


def test_metrics_that_differ_in_their_times_alone_are_identical() -> None:
    other = {epoch: row | {"seconds": "9"} for epoch, row in metrics("0.5", "0.4").items()}
    compared = compare_metrics(metrics("0.5", "0.4"), other)
    assert compared.identical
    assert compared.extent == "2 epochs, 1 column"


def test_the_first_epoch_that_differs_is_told_with_both_values() -> None:
    compared = compare_metrics(metrics("0.5", "0.4", "0.3"), metrics("0.5", "0.41", "0.31"))
    [difference] = compared.differences
    assert (difference.where, difference.then, difference.now) == ("epoch 2, train/loss", "0.4", "0.41")
    assert difference.apart == "0.01"
    assert compared.rest == "... and 1 later epoch"


def test_the_last_digit_counts() -> None:
    assert not compare_metrics(metrics("0.123456789"), metrics("0.123456788")).identical


def test_an_epoch_of_one_run_alone_is_told() -> None:
    [difference] = compare_metrics(metrics("0.5", "0.4"), metrics("0.5")).differences
    assert (difference.where, difference.then, difference.now) == ("epoch 2", "there", "-")


def test_a_column_of_one_run_alone_is_told() -> None:
    [difference] = compare_metrics(metrics("0.5"), metrics("0.5", **{"valid/dice": "0.9"})).differences
    assert (difference.where, difference.then, difference.now) == ("epoch 1, valid/dice", "-", "0.9")


def test_of_many_columns_the_first_are_named_and_the_rest_counted() -> None:
    one, other = ({f"m{i}": value for i in range(9)} for value in "12")
    compared = compare_metrics(metrics("0", **one), metrics("0", **other))
    assert [found.where for found in compared.differences] == [f"epoch 1, m{i}" for i in range(5)]
    assert compared.rest == "... and 4 more columns of this epoch"


def test_cases_come_with_the_largest_difference_first() -> None:
    compared = compare_cases(cases(a="0.5", b="0.5", c="0.5"), cases(a="0.6", b="0.9", c="0.5"))
    assert [(found.where, found.apart) for found in compared.differences] == [
        ("test b organ, dice", "0.4"),
        ("test a organ, dice", "0.1"),
    ]


def test_a_score_that_is_no_longer_defined_and_a_missing_case_come_before_all() -> None:
    compared = compare_cases(cases(a="0.5", b="0.5", c="0.1"), cases(a="0.9", b=""))
    found: list[tuple[Any, ...]] = [(other.where, other.then, other.now) for other in compared.differences]
    assert found == [
        ("test b organ, dice", "0.5", "-"),
        ("test c organ", "there", "-"),
        ("test a organ, dice", "0.5", "0.9"),
    ]


def test_numbers_that_differ_behind_the_ninth_digit_are_shown_in_full() -> None:
    [difference] = compare_cases(cases(a="0.3333333333333333"), cases(a="0.33333333333333326")).differences
    assert (difference.then, difference.now) == ("0.3333333333333333", "0.33333333333333326")
