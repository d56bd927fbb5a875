"""Values of a config against the types of a signature."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Literal

import pytest
import torch
from monai.networks.nets import UNet
from monai.transforms import RandFlipd

from trainlib.build.types import fits, in_words, numeric_keywords, texts_for_numbers, type_hints, wrong_types


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (1, int, True),
        (1.0, int, False),
        (True, int, False),
        (1, float, True),
        (True, float, False),
        ("1", float, False),
        (True, bool, True),
        ("yes", bool, False),
        ("a", str, True),
        (None, int | None, True),
        (None, int, False),
        ([1, 2], Sequence[int], True),
        ([1, "a"], Sequence[int], False),
        ("ab", Sequence[int], False),
        ([0.9, 0.99], tuple[float, float], True),
        ([0.9], tuple[float, float], False),
        ([1, 2, 3], tuple[int, ...], True),
        (["group", {"num_groups": 2}], tuple | str, True),
        ("nearest", Sequence[str] | str, True),
        ({"days": 1}, dict[str, int], True),
        ([1], Mapping[str, int], False),
        (32, Literal[64, 32, "32"], True),
        (17, Literal[64, 32, "32"], False),
        ("image", Collection[Hashable] | Hashable, True),
        ("fast", float | torch.Tensor, False),
        ("anything", Any, True),
    ],
)
def test_a_value_fits_its_annotation_or_not(value: Any, annotation: Any, expected: bool) -> None:
    assert fits(value, annotation) is expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, "an integer"),
        (float | torch.Tensor, "a number"),
        (torch.Tensor, "Tensor"),
        (Sequence[int] | int | None, "a list of integers or an integer or null"),
        (bool | Literal["warn"], "warn or true or false"),
        (dict[str, int] | str, "a mapping or a string"),
        (tuple | str, "a list or a string"),
        (tuple[float | torch.Tensor, float | torch.Tensor], "a list of 2 numbers"),
        (tuple[int, ...], "a list of integers"),
        (tuple[Any, Any], "a list of 2 of them"),
    ],
)
def test_a_type_is_written_as_what_to_put_into_a_config(annotation: Any, expected: str) -> None:
    assert in_words(annotation) == expected


def test_the_keywords_of_another_type_are_named() -> None:
    found = dict(wrong_types(UNet, {"channels": "abc", "strides": [2], "dropout": None, "no_such_keyword": 1}))
    assert found == {
        "channels": "expected a list of integers, found 'abc'.",
        "dropout": "expected a number, found null.",
    }


def test_only_texts_in_place_of_numbers_are_certainly_wrong() -> None:
    assert dict(
        texts_for_numbers(numeric_keywords(RandFlipd), {"spatial_axis": "x", "prob": 0.5, "keys": "image"})
    ) == {"spatial_axis": "expected a list of integers or an integer or null, found 'x'."}
    fit = {"act": "relu", "norm": ["group", {"num_groups": 2}], "dropout": None}
    assert list(texts_for_numbers(numeric_keywords(UNet), fit)) == []


def test_what_has_no_annotations_that_can_be_read_has_none() -> None:
    def function(value: NoSuchName) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert type_hints(function) == {}
    assert list(wrong_types(function, {"value": 1})) == []


def test_the_order_of_a_union_does_not_matter() -> None:
    assert in_words(int | float | None) == in_words(float | None | int) == "an integer or a number or null"
