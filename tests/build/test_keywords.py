from __future__ import annotations

import inspect
from typing import Any

import monai.networks.nets as nets
import monai.transforms as mt
import pytest
import torch

from trainlib.build.keywords import Keywords


class Base:
    def __init__(self, wide: int, deep: int = 2) -> None: ...


class Forwards(Base):
    def __init__(self, own: int, *args: Any, **kwargs: Any) -> None: ...


class Closed(Forwards):
    def __init__(self, last: int = 1) -> None: ...


def anything(first: int, **kwargs: Any) -> None: ...


@pytest.mark.parametrize(
    ("target", "names", "required"),
    [
        (Base, {"wide", "deep"}, ["wide"]),
        (Forwards, {"own", "wide", "deep"}, ["own"]),
        (Closed, {"last"}, []),
        (anything, {"first"}, ["first"]),
        (lambda a, /, b, *, c=1: None, {"b", "c"}, ["b"]),
        (max, set(), []),  # written in C, without a signature
    ],
)
def test_the_keywords_of_a_callable_are_those_it_and_its_bases_take(
    target: Any, names: set[str], required: list[str]
) -> None:
    keywords = Keywords(target)
    assert set(keywords.names) == names
    assert keywords.missing({}) == required


@pytest.mark.parametrize(
    ("target", "given", "hints"),
    [
        (nets.UNet, ["channels", "dropuot"], [("dropuot", " Did you mean dropout?")]),
        (nets.UNet, ["self"], [("self", "")]),
        (nets.DenseNet121, ["dropout_prb"], [("dropout_prb", " Did you mean dropout_prob?")]),
        (nets.resnet18, ["n_input_chanels"], [("n_input_chanels", " Did you mean n_input_channels?")]),
        (nets.MedNeXtS, ["in_chanels"], [("in_chanels", " Did you mean in_channels?")]),
        (mt.SpatialPadd, ["spatial_sise"], [("spatial_sise", " Did you mean spatial_size?")]),
        (mt.SpatialPadd, ["value", "constant_values"], []),
        (mt.LoadImaged, ["reverse_indexing", "image_only"], []),
        (mt.LoadImaged, ["reverse_indexin"], [("reverse_indexin", " Did you mean reverse_indexing?")]),
        (anything, ["whatever"], []),
        (anything, ["frist"], [("frist", " Did you mean first?")]),
        (torch.optim.Adam, ["learning_rate"], [("learning_rate", " Choose from: ")]),
        (torch.optim.Adam, ["lr", "betas"], []),
    ],
)
def test_an_unknown_keyword_comes_with_the_nearest_real_one(
    target: Any, given: list[str], hints: list[tuple[str, str]]
) -> None:
    keywords = Keywords(target)
    keywords.pass_by_position(1 if target is torch.optim.Adam else 0)
    found = list(keywords.unknown(given))
    assert [name for name, _ in found] == [name for name, _ in hints]
    assert all(hint.startswith(expected) for (_, hint), (_, expected) in zip(found, hints, strict=True))


def test_what_is_passed_by_position_is_no_keyword() -> None:
    keywords = Keywords(torch.optim.SGD)
    keywords.pass_by_position(1)
    assert "params" not in keywords.names
    assert keywords.missing({}) == []


def test_the_default_of_a_keyword_is_known() -> None:
    keywords = Keywords(Base)
    assert keywords.default("deep") == 2
    assert keywords.default("wide") is inspect.Parameter.empty
