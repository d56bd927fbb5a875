from __future__ import annotations

import inspect
from typing import Any

import monai.transforms as mt
import pytest

from tests.build.helpers import resolved
from trainlib.build.keywords import Keywords
from trainlib.build.kinds import names_of
from trainlib.build.roles import changes_intensity, interpolation_keyword, keys_for, modes_for

DICTIONARY = sorted(name for name in names_of("transform") if "keys" in inspect.signature(getattr(mt, name)).parameters)
INTENSITY = [name for name in DICTIONARY if getattr(mt, name).__module__ == "monai.transforms.intensity.dictionary"]
MOVING = [
    name
    for name in DICTIONARY
    if getattr(mt, name).__module__
    in ("monai.transforms.spatial.dictionary", "monai.transforms.croppad.dictionary")
    and name not in ("ConvertBoxToPointsd", "ConvertPointsToBoxesd", "RandSimulateLowResolutiond")
]  # fmt: skip


def test_the_lists_cover_monai() -> None:
    assert len(DICTIONARY) > 130
    assert len(INTENSITY) > 30
    assert len(MOVING) > 40


@pytest.mark.parametrize("name", [name for name in INTENSITY if name != "ComputeHoVerMapsd"])
def test_what_changes_intensities_is_applied_to_the_image_alone(name: str) -> None:
    assert resolved(name).kwargs["keys"] == ["image"]


@pytest.mark.parametrize("name", MOVING)
def test_what_moves_voxels_is_applied_to_image_and_label_alike(name: str) -> None:
    filled = resolved(name).kwargs
    assert filled["keys"] == ["image", "label"]
    if getattr(mt, name).__module__.startswith("monai.transforms.spatial") and "mode" in filled:
        assert filled["mode"][1] == "nearest"
        assert filled["mode"][0] != "nearest"


@pytest.mark.parametrize("name", [name for name in DICTIONARY if "label" in resolved(name).kwargs.get("keys", [])])
def test_no_default_reaches_a_label_with_an_interpolation(name: str) -> None:
    """The signatures alone decide: any keyword that is an interpolation must be nearest where the label goes."""
    filled = resolved(name)
    defaults = inspect.signature(getattr(mt, name)).parameters
    for keyword, parameter in defaults.items():
        if keyword == "field_mode":  # of the deformation field
            continue
        value = filled.kwargs.get(keyword, parameter.default)
        last = value[-1] if isinstance(value, list) else value
        text = str(getattr(last, "value", last))
        assert text not in ("bilinear", "trilinear", "bicubic", "linear", "area"), keyword


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("LoadImaged", ["image", "label"]),
        ("EnsureChannelFirstd", ["image", "label"]),
        ("EnsureTyped", ["image", "label"]),
        ("RandSmoothDeformd", ["image", "label"]),
        ("RandSimulateLowResolutiond", ["image"]),
        ("RandSmoothFieldAdjustContrastd", ["image"]),
        ("RandImageFilterd", ["image"]),
        ("LabelToMaskd", ["label"]),
        ("MapLabelValued", ["label"]),
        ("ComputeHoVerMapsd", ["label"]),
    ],
)
def test_transforms_outside_the_rule_have_keys_too(name: str, keys: list[str]) -> None:
    assert resolved(name).kwargs["keys"] == keys


@pytest.mark.parametrize(
    "name",
    ["Lambdad", "RandLambdad", "KeepLargestConnectedComponentd", "AsDiscreted", "ConvertBoxToPointsd", "DeleteItemsd",
     "CutMixd", "TorchVisiond", "DistanceTransformEDTd"],
)  # fmt: skip
def test_a_transform_of_unknown_nature_asks_for_its_keys(name: str) -> None:
    assert keys_for(getattr(mt, name), "train") is None
    texts = [text for _, text in resolved(name).mistakes]
    assert f"transforms.train[0].{name}: say what it is applied to, `keys: [image]` or `keys: [image, label]`." in texts


def test_after_the_network_there_is_only_the_prediction() -> None:
    assert keys_for(mt.KeepLargestConnectedComponentd, "post") == ("pred",)
    assert resolved("KeepLargestConnectedComponentd", "post").kwargs["keys"] == ["pred"]


def test_a_transform_from_elsewhere_is_of_unknown_nature() -> None:
    class Own(mt.MapTransform):
        def __init__(self, keys: Any) -> None: ...

    assert keys_for(Own, "train") is None
    assert not changes_intensity(Own)


@pytest.mark.parametrize(
    ("target", "keyword"),
    [
        (mt.Spacingd, "mode"),
        (mt.RandZoomd, "mode"),
        (mt.RandSmoothDeformd, "grid_mode"),
        (mt.SpatialPadd, None),  # a kind of padding
        (mt.RandSmoothFieldAdjustContrastd, None),  # of the field, not of the image
        (mt.ConvertBoxToPointsd, None),
        (mt.RandFlipd, None),
    ],
)
def test_the_interpolation_of_a_transform_is_told_from_other_modes(target: Any, keyword: str | None) -> None:
    assert interpolation_keyword(target, Keywords(target)) == keyword


@pytest.mark.parametrize(
    ("keys", "mode", "modes"),
    [
        (["image", "label"], None, ["area", "nearest"]),
        (["image", "label"], "bicubic", ["bicubic", "nearest"]),
        (["label", "image"], 3, ["nearest", 3]),
        (["image", "label"], ["bilinear", "bicubic"], ["bilinear", "bicubic"]),
        (["pred"], "bilinear", ["nearest"]),
    ],
)
def test_a_single_mode_is_for_the_image(keys: list[str], mode: Any, modes: list[Any]) -> None:
    assert modes_for(keys, mode, "area") == modes


def test_without_a_default_images_are_interpolated_linearly() -> None:
    assert modes_for(["image", "label"], None, inspect.Parameter.empty) == ["bilinear", "nearest"]
