"""Grids: in what two of them differ, by affines made by hand."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from trainlib.check.grids import difference, number, sizes
from trainlib.check.headers import Header

SHAPE = (12, 10, 9)


def header(matrix: np.ndarray | None = None, shape: tuple[int, ...] = SHAPE) -> Header:
    return Header(shape, 1, tuple(map(tuple, (np.eye(4) if matrix is None else matrix).tolist())), "uint8")


def shifted(*by: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[: len(by), 3] = by
    return matrix


def test_one_grid_has_no_difference() -> None:
    assert difference(header(), header(), reoriented=False) is None
    assert difference(header(), header(shifted(0.0009)), reoriented=False) is None


def test_a_shift_is_told_by_both_origins() -> None:
    found = difference(header(), header(shifted(3, 4)), reoriented=False)
    assert found is not None
    assert found.texts == ("origin (3, 4, 0) and (0, 0, 0) mm",)
    assert found.origin_alone
    assert found.apart == pytest.approx(5.0)


def test_a_spacing_twice_as_large_covers_more() -> None:
    found = difference(header(), header(np.diag([2.0, 2.0, 2.0, 1.0])), reoriented=True)
    assert found is not None
    assert found.texts == ("spacing 2 x 2 x 2 and 1 x 1 x 1 mm",)
    assert found.apart == pytest.approx(np.linalg.norm([11, 9, 8]))
    assert [found.origin_alone, found.inside] == [False] * 2


def test_half_the_voxels_of_twice_the_size_cover_the_same_space() -> None:
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = 0.5  # the outer edges of both are at -0.5 mm
    found = difference(header(), header(matrix, (6, 5, 5)), reoriented=False)
    assert found is not None
    assert found.texts[0] == "shape 6 x 5 x 5 and 12 x 10 x 9"
    assert found.inside
    assert found.apart == np.inf


def test_a_label_of_a_part_of_the_image_lies_inside() -> None:
    found = difference(header(), header(shifted(4, 3, 2), (4, 4, 4)), reoriented=False)
    assert found is not None
    assert found.inside


@pytest.mark.parametrize(("by", "inside"), [(0.9, True), (1.5, False)])
def test_a_label_reaches_out_by_a_voxel_of_the_same_axis_at_most(by: float, inside: bool) -> None:
    thick = np.diag([1.0, 1.0, 5.0, 1.0])
    found = difference(header(thick), header(shifted(by) @ thick, (12, 10, 8)), reoriented=False)
    assert found is not None
    assert found.inside == inside


@pytest.mark.parametrize("axcodes", ["LPS", "SAR", "AIL"])
def test_another_order_of_the_axes_is_none_once_both_are_turned(axcodes: str) -> None:
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), np.diag([1.0, 2.0, 3.0, 1.0]) @ shifted(5, 6, 7))
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(axcodes)
    )
    label = image.as_reoriented(turn)
    pair = header(image.affine), header(label.affine, label.shape)
    assert difference(*pair, reoriented=True) is None
    found = difference(*pair, reoriented=False)
    assert found is not None
    assert any(text.startswith(f"orientation {axcodes} and RAS") for text in found.texts)


def test_a_slice_is_turned_in_its_plane() -> None:
    image = nib.Nifti1Image(np.zeros((6, 5, 1), np.uint8), np.diag([1.0, 2.0, 3.0, 1.0]))
    label = image.as_reoriented([[1, -1], [0, 1], [2, 1]])
    pair = header(image.affine, (6, 5)), header(label.affine, label.shape[:2])
    assert difference(*pair, reoriented=True) is None
    assert difference(*pair, reoriented=False) is not None


def test_turned_axes_are_told_in_degrees() -> None:
    angle = np.radians(10)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    found = difference(header(), header(matrix), reoriented=True)
    assert found is not None
    assert found.texts == ("axes turned by up to 10 degrees",)


def test_pictures_differ_in_shape_alone() -> None:
    one, other = Header((8, 6), 1, None, "uint8"), Header((4, 3), 1, None, "uint8")
    assert difference(one, one, reoriented=True) is None
    found = difference(one, other, reoriented=True)
    assert found is not None
    assert found.texts == ("shape 4 x 3 and 8 x 6",)
    assert not found.inside


def test_numbers_are_written_as_people_do() -> None:
    assert sizes((35, 51, 35)) == "35 x 51 x 35"
    assert sizes((1.0, 0.66666)) == "1 x 0.6667"
    assert [number(value) for value in (0.25, 883.64, 414762.3)] == ["0.25", "883.6", "414,762"]
