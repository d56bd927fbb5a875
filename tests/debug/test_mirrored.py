"""Labels that lie on their images the wrong way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from monai.transforms import LoadImage

from tests.conftest import HIPPOCAMPUS
from trainlib.data.phantom import make_dataset
from trainlib.debug.finding import Finding
from trainlib.debug.mirrored import Move, check_mirrored, fits, moves

Turn = Callable[[torch.Tensor], torch.Tensor]


def case(seed: int, shape: tuple[int, ...] = (40, 40)) -> tuple[torch.Tensor, torch.Tensor]:
    """An image with a bright block off its centre, and its label."""
    random = np.random.default_rng(seed)
    label = torch.zeros(1, *shape)
    low = random.integers(2, 6, len(shape))
    label[(0, *(slice(a, a + 6 + 5 * axis) for axis, a in enumerate(low)))] = 1
    noise = torch.as_tensor(random.normal(0, 0.2, label.shape), dtype=torch.float32)
    return label + noise, label.to(torch.uint8)


def check(turn: Turn, count: int = 5, shape: tuple[int, ...] = (40, 40)) -> Finding:
    cases = [case(seed, shape) for seed in range(count)]
    return check_mirrored([fits(image, turn(label)) for image, label in cases])


@pytest.mark.parametrize("shape", [(40, 40), (30, 40), (24, 24, 24), (20, 24, 24)])
def test_labels_that_lie_as_they_should_are_in_order(shape: tuple[int, ...]) -> None:
    assert check(lambda label: label, shape=shape).level == "ok"


@pytest.mark.parametrize(
    ("turn", "shape", "words"),
    [
        (lambda label: label.flip(1), (40, 40), "mirrored along the first axis"),
        (lambda label: label.flip(2), (30, 40), "mirrored along the second axis"),
        (lambda label: label.flip(1, 3), (24, 20, 22), "mirrored along the first and third axis"),
        (lambda label: label.transpose(1, 2), (40, 40), "with the first and second axis exchanged"),
        (lambda label: label.transpose(2, 3), (20, 24, 24), "with the second and third axis exchanged"),
    ],
)
def test_labels_that_are_turned_in_every_case_are_told(turn: Turn, shape: tuple[int, ...], words: str) -> None:
    found = check(turn, shape=shape)
    assert found.level == "warning"
    text = f"In all 5 cases, the labels fit the edges in the images better when {words}. "
    assert found.text.startswith(text)


def test_labels_that_are_rotated_are_turned_back_by_the_right_move() -> None:
    image, label = case(0)
    found = fits(image, label.rot90(1, (1, 2)))
    best = max(found, key=found.__getitem__)
    assert best == Move((1, 0), (1,))
    assert found[best] == pytest.approx(fits(image, label)[Move((0, 1), ())], abs=1e-6)


def test_one_case_that_says_otherwise_settles_it() -> None:
    cases = [case(seed) for seed in range(5)]
    found = [fits(image, label.flip(1) if seed else label) for seed, (image, label) in enumerate(cases)]
    assert check_mirrored(found).level == "ok"


def test_too_few_cases_say_nothing() -> None:
    found = check(lambda label: label.flip(1), count=3)
    assert found.level == "ok"
    assert "Too few cases" in found.text


def test_strong_edges_that_have_nothing_to_do_with_the_label_say_nothing() -> None:
    cases = []
    for seed in range(5):
        image, label = case(seed)
        stripes = torch.arange(40) // 2 % 2 * 20.0
        image[:, 20:] += stripes  # where the mirrored label would be
        cases.append(fits(image, label))
    assert check_mirrored(cases).level == "ok"


def test_an_empty_label_has_no_fit() -> None:
    image, label = case(0)
    assert fits(image, 0 * label) is None
    assert fits(image, 0 * label + 1) is None


def test_only_moves_that_keep_the_shape_are_tried() -> None:
    assert len(moves((30, 40))) == 4
    assert len(moves((40, 40))) == 8
    assert len(moves((20, 30, 40))) == 8
    assert len(moves((40, 40, 20))) == 16
    assert moves((5, 5))[0] == Move((0, 1), ())


def rows(folder: Path, csv: str, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    load = LoadImage(ensure_channel_first=True)
    table = pd.read_csv(folder / csv).head(count)
    label = "label" if "label" in table else "mask"
    return [(load(folder / row["image"]), load(folder / row[label])) for _, row in table.iterrows()]


@pytest.mark.parametrize("dims", [2, 3])
def test_phantoms_give_no_false_alarm(dims: int, tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", spatial_dims=dims, cases=(25, 1, 1))
    cases = [fits(image, label) for image, label in rows(folder, "train.csv", 25)]
    for start in range(0, 25, 5):
        assert check_mirrored(cases[start : start + 5]).level == "ok"


@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason=f"the hippocampus data are not at {HIPPOCAMPUS}")
def test_real_images_give_no_false_alarm_and_turned_labels_are_noticed() -> None:
    cases = rows(HIPPOCAMPUS, "train.csv", 25)
    for turned in (False, True):
        found = [fits(image, label.flip(2) if turned else label) for image, label in cases]
        levels = [check_mirrored(found[start : start + 5]).level for start in range(0, 25, 5)]
        assert levels.count("warning") >= 4 if turned else set(levels) == {"ok"}
