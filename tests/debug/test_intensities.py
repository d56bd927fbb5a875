"""Images that are not normalised."""

from __future__ import annotations

import pytest
import torch

from trainlib.debug.intensities import check_intensities, check_same_scale
from trainlib.debug.statistics import Statistics, describe

SOUND = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))


def images(*others: torch.Tensor) -> dict[str, Statistics]:
    return {f"case_{i}": describe(image) for i, image in enumerate((SOUND, *others))}


@pytest.mark.parametrize("image", [SOUND, (SOUND - SOUND.min()) / (SOUND.max() - SOUND.min()), 3 * SOUND + 2])
def test_usual_normalisations_are_in_order(image: torch.Tensor) -> None:
    assert check_intensities(images(image)).level == "ok"


@pytest.mark.parametrize("image", [800 + 300 * SOUND, 128 + SOUND, 1e-4 * SOUND])
def test_an_image_of_another_order_of_magnitude_is_named(image: torch.Tensor) -> None:
    found = check_intensities(images(image))
    assert found.level == "warning"
    assert found.text.startswith("1 of 2 images are not normalised after transforms.base, as case_1 with mean ")
    assert "NormalizeIntensityd" in found.text


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.full((1, 8, 8), 3.0), "one single value everywhere"),
        (torch.tensor([[0.0, float("nan")]]), "values that are nan or infinite"),
        (torch.tensor([[0.0, float("inf")]]), "values that are nan or infinite"),
    ],
)
def test_an_image_that_nothing_can_be_learned_from_is_a_problem(image: torch.Tensor, words: str) -> None:
    found = check_intensities(images(image))
    assert found.level == "problem"
    assert f"1 of 2 images hold {words} after transforms.base: case_1." in found.text


def test_augmentation_may_move_intensities_a_little() -> None:
    assert check_same_scale([describe(SOUND)], [describe(1.5 * SOUND + 0.7)], ["image"]).level == "ok"


@pytest.mark.parametrize("raw", [500 + 200 * SOUND, 100 * SOUND, SOUND + 9])
def test_normalisation_that_validation_does_not_get_is_a_problem(raw: torch.Tensor) -> None:
    base, train = [describe(SOUND), describe(raw)], [describe(SOUND), describe(SOUND)]
    found = check_same_scale(base, train, ["t1", "t2"])
    assert found.level == "problem"
    assert found.text.startswith("Augmented images (t2: mean ")
    assert "Move normalisation from transforms.train to transforms.base" in found.text
