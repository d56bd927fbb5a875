"""Planes through a volume."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from trainlib.drawing.planes import Plane, choose_planes, spacing_to_ras, to_ras


def test_the_planes_are_those_with_most_foreground() -> None:
    mask = np.zeros((10, 12, 14), dtype=bool)
    mask[2, 3, 4] = True
    mask[5, 6:9, 7] = True
    # Axial (third axis) and sagittal (first): the row of three; coronal: all voxels have planes of their own.
    assert [(plane.axis, plane.index) for plane in choose_planes(mask)] == [(2, 7), (1, 3), (0, 5)]


def test_without_foreground_the_planes_go_through_the_middle() -> None:
    assert [plane.index for plane in choose_planes(np.zeros((10, 12, 14)))] == [7, 6, 5]


def test_a_2d_image_is_its_own_plane_with_the_first_axis_to_the_right() -> None:
    image = np.arange(6).reshape(3, 2)
    [plane] = choose_planes(image > 0)
    assert plane.axis is None
    assert plane.cut(image).tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize(
    ("axis", "top", "left"),
    [(2, "anterior", "right"), (1, "superior", "right"), (0, "superior", "anterior")],
    ids=["axial", "coronal", "sagittal"],
)
def test_a_plane_is_shown_in_radiological_convention(axis: int, top: str, left: str) -> None:
    places = {"right": (4, 2, 2), "anterior": (2, 4, 2), "superior": (2, 2, 4)}
    for where, corner in ((top, (0, 2)), (left, (2, 0))):
        volume = np.zeros((5, 5, 5))
        volume[places[where]] = 1
        assert np.argwhere(Plane(axis, 2).cut(volume)).tolist() == [list(corner)], where


def test_the_size_of_a_plane_is_in_mm() -> None:
    volume = np.zeros((10, 20, 30))
    assert [Plane(axis).size(volume, (1.0, 0.5, 2.0)) for axis in (2, 1, 0)] == [(10, 10), (10, 60), (10, 60)]


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "PIR", "SAL"])
def test_a_volume_is_turned_to_right_anterior_superior(axcodes: str) -> None:
    ras = np.random.default_rng(0).random((3, 4, 5))
    spacing = [1.0, 2.0, 3.0]
    image = nib.Nifti1Image(ras, np.diag([*spacing, 1.0]))
    other = image.as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axcodes))
    )
    np.testing.assert_array_equal(to_ras(np.asarray(other.dataobj), other.affine), ras)
    assert spacing_to_ras([float(z) for z in other.header.get_zooms()], other.affine) == spacing


@pytest.mark.parametrize(
    ("directions", "flipped"),
    [((1, 1), (True, True)), ((-1, -1), (False, False)), ((1, -1), (True, False)), ((-1, 1), (False, True))],
)
def test_a_slice_is_mirrored_to_be_shown_as_the_plane_of_a_volume(
    directions: tuple[int, int], flipped: tuple[bool, bool]
) -> None:
    image = np.arange(6).reshape(3, 2)
    expected = image[:: -1 if flipped[0] else 1, :: -1 if flipped[1] else 1]
    np.testing.assert_array_equal(to_ras(image, np.diag([*directions, 1.0])), expected)
    assert spacing_to_ras([0.5, 2.0], np.eye(3)) == [0.5, 2.0]


def test_a_slice_shows_what_the_plane_of_its_volume_shows() -> None:
    volume = np.random.default_rng(0).random((5, 6, 4))
    [plane] = choose_planes(volume[..., 2])
    np.testing.assert_array_equal(plane.cut(to_ras(volume[..., 2], np.eye(4))), Plane(2, 2).cut(volume))
