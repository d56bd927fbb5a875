"""Labels that do not hold what the config declares."""

from __future__ import annotations

import torch

from tests.debug.helpers import CLASSES
from trainlib.debug.labels import check_channels, check_classes, check_foreground


def test_labels_with_every_class_are_in_order() -> None:
    assert check_classes([{0, 1}, {0, 2}], CLASSES, 2).level == "ok"


def test_a_class_that_no_case_has_is_told_with_the_number_of_cases() -> None:
    found = check_classes([{0, 1}, {0}, {0, 1}], CLASSES, 3)
    assert found.level == "warning"
    assert found.text.startswith("No voxel of lesion in the 3 training cases that were looked at.")


def test_a_value_that_is_no_class_is_a_problem() -> None:
    found = check_classes([{0, 1, 2}, {0, 1.5, 7}], CLASSES, 2)
    assert found.level == "problem"
    assert "hold 1.5, 7, but data.classes names the values 0 to 2 only" in found.text


def test_windows_without_foreground_are_told() -> None:
    empty, full = torch.zeros(1, 8, 8), torch.ones(1, 8, 8)
    found = check_foreground([empty, empty, full])
    assert found.level == "warning"
    assert found.text.startswith("2 of 3 augmented windows show background only")
    assert "RandCropByPosNegLabeld" in found.text
    assert check_foreground([empty, full]).level == "ok"


def test_a_network_with_another_number_of_channels_than_classes_is_a_problem() -> None:
    found = check_channels(torch.zeros(1, 2, 8, 8), CLASSES)
    assert found.level == "problem"
    assert "2 output channels, and data.classes names 3 classes" in found.text
    assert check_channels(torch.zeros(1, 3, 8, 8), CLASSES).level == "ok"
