"""Values that nobody expects in a config or a CSV."""

from __future__ import annotations

import datetime
from typing import Any

from hypothesis import strategies as st

ODD_TEXTS = [
    "", " ", "\t", "\n", "a\nb", "\0", "\x1b[31m", "\u202eabc", "é", "漢字", "🩻", "x" * 3000, "%s %d {0}", "{}", "[]",
    "null", "~", "yes", "1e3", "0x1F", "1_000", "-", "#", "a: b", "a,b", '"', "'", "\\", "/", ".", "..", "../..",
    "~root", "CON", "${", "${}", "${data}", "${data.root}", "${nope}", "${.root}", "${oc.env:NO_SUCH}",
    "${oc.env:HOME}", "???", "!!python/name:os.system", "name", "kwargs", "image", "label", "pred", "auto", "none",
    "disk", "segmentation", "classification", "UNet", "DiceLoss", "RandFlipd", "LoadImaged",
    "monai.networks.nets.UNet", "os.system", "a.b.c", "valid/dice", "valid/hd95", "train/loss", "valid/dice/",
    "train.csv", "test.csv", "config.yaml", "i0.nii.gz",
]  # fmt: skip

SMALL_NUMBERS: list[Any] = [0, 1, 2, 3, -1, 7, 16, 0.0, 0.5, 1.0, 1.5, -0.5, 1e-12, float("nan"), float("inf")]
LARGE_NUMBERS: list[Any] = [2**31, 2**63, -(2**63), 10**30, 1e308]
ODD_THINGS: list[Any] = [
    None, True, False, [], {}, [[]], [{}], {"": 1}, {"a": {"b": {"c": []}}}, [None], [1, "a", None], [0, 0, 0], [2, 4],
    [8, 8, 8], [8, 8], ["a", "a"], {1: 2}, {True: 1}, {"name": "UNet"}, {"name": "UNet", "kwargs": None},
    {"UNet": None}, {"UNet": [1]}, {"UNet": {"channels": [2, 4], "strides": [2]}, "SegResNet": {}}, {"SGD": {"lr": 1}},
    {"RandFlipd": {"keys": "image"}}, datetime.date(2024, 1, 1), b"bytes", [[[[[[[[1]]]]]]]],
]  # fmt: skip


def odd_values(*, large: bool) -> st.SearchStrategy[Any]:
    """Draw a value; large numbers only where nothing is built of so many parts."""
    numbers = [*SMALL_NUMBERS, *(LARGE_NUMBERS if large else [])]
    return st.one_of(
        st.sampled_from(ODD_TEXTS),
        st.sampled_from(numbers),
        st.sampled_from(ODD_THINGS),
        st.text(max_size=8),
        st.lists(st.sampled_from(SMALL_NUMBERS), max_size=4),
    )
