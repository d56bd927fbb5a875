from __future__ import annotations

from pathlib import Path
from typing import Any

import monai.transforms as mt
import pytest
import torch
from monai.data import MetaTensor

from tests.build.helpers import config, resolved
from trainlib.build.pipelines import build_pipeline, check_pipelines
from trainlib.build.resolve import ComponentError

BUILDABLE: list[tuple[str, dict[str, Any]]] = [
    ("LoadImaged", {}),
    ("EnsureChannelFirstd", {}),
    ("Orientationd", {"axcodes": "RAS"}),
    ("Spacingd", {"pixdim": [1, 1, 1]}),
    ("Resized", {"spatial_size": [8, 8, 8]}),
    ("Zoomd", {"zoom": 2}),
    ("Rotated", {"angle": 0.1}),
    ("Affined", {}),
    ("GridDistortiond", {"num_cells": 2, "distort_steps": [[1, 1], [1, 1], [1, 1]]}),
    ("ResampleToMatchd", {"key_dst": "image"}),
    ("SpatialResampled", {}),
    ("RandAffined", {}),
    ("RandRotated", {}),
    ("RandZoomd", {}),
    ("Rand3DElasticd", {"sigma_range": [1, 2], "magnitude_range": [1, 2]}),
    ("Rand2DElasticd", {"spacing": 3, "magnitude_range": [1, 2]}),
    ("RandGridDistortiond", {}),
    ("RandSmoothDeformd", {"spatial_size": [8, 8, 8], "rand_size": [3, 3, 3]}),
    ("RandSmoothFieldAdjustContrastd", {"spatial_size": [8, 8, 8], "rand_size": [3, 3, 3]}),
    ("RandSmoothFieldAdjustIntensityd", {"spatial_size": [8, 8, 8], "rand_size": [3, 3, 3]}),
    ("RandSimulateLowResolutiond", {}),
    ("SpatialPadd", {"spatial_size": [8, 8, 8]}),
    ("BorderPadd", {"spatial_border": 2}),
    ("DivisiblePadd", {"k": 4}),
    ("ResizeWithPadOrCropd", {"spatial_size": [8, 8, 8]}),
    ("CropForegroundd", {}),
    ("RandCropByPosNegLabeld", {"spatial_size": [8, 8, 8]}),
    ("RandCropByLabelClassesd", {"spatial_size": [8, 8, 8]}),
    ("RandSpatialCropd", {"roi_size": [8, 8, 8]}),
    ("RandFlipd", {}),
    ("RandRotate90d", {}),
    ("NormalizeIntensityd", {}),
    ("ScaleIntensityRanged", {"a_min": 0, "a_max": 1}),
    ("RandGaussianNoised", {}),
    ("RandBiasFieldd", {}),
    ("RandCoarseDropoutd", {"holes": 1, "spatial_size": 2}),
    ("ClassesToIndicesd", {}),
]


@pytest.mark.parametrize(("name", "kwargs"), BUILDABLE, ids=[name for name, _ in BUILDABLE])
def test_a_transform_is_built_from_the_keywords_that_follow_from_nothing(name: str, kwargs: dict[str, Any]) -> None:
    # What is random belongs in one pipeline, and what needs the geometry of the file in the other.
    section, other = ("train", "base") if issubclass(getattr(mt, name), mt.Randomizable) else ("base", "train")
    made = config(transforms={section: [{name: kwargs}], other: []})
    assert check_pipelines(made) == []
    [transform] = build_pipeline(made, section).transforms
    assert type(transform) is getattr(mt, name)


def test_probability_label_and_classes_are_filled_in() -> None:
    assert resolved("RandFlipd", prob=0.35).kwargs["prob"] == 0.35
    assert resolved({"RandFlipd": {"prob": 1}}, prob=0.35).kwargs["prob"] == 1
    assert "prob" not in resolved("NormalizeIntensityd").kwargs
    crop = resolved({"RandCropByLabelClassesd": {"spatial_size": [8, 8, 8]}}).kwargs
    assert (crop["label_key"], crop["num_classes"]) == ("label", 3)
    assert resolved("CropForegroundd").kwargs["source_key"] == "image"
    assert resolved({"CropForegroundd": {"source_key": "label"}}).kwargs["source_key"] == "label"


@pytest.mark.parametrize(
    ("kwargs", "keys", "mode"),
    [
        ({}, ["image", "label"], ["bilinear", "nearest"]),
        ({"mode": "bicubic"}, ["image", "label"], ["bicubic", "nearest"]),
        ({"mode": 3}, ["image", "label"], [3, "nearest"]),
        ({"mode": "nearest"}, ["image", "label"], ["nearest", "nearest"]),
        ({"mode": ["bilinear", "nearest"]}, ["image", "label"], ["bilinear", "nearest"]),
        ({"mode": ["bilinear", 0]}, ["image", "label"], ["bilinear", 0]),
        ({"keys": ["label", "image"]}, ["label", "image"], ["nearest", "bilinear"]),
    ],
)
def test_a_label_is_never_interpolated_by_accident(kwargs: dict[str, Any], keys: list[str], mode: list[Any]) -> None:
    filled = resolved({"Spacingd": {"pixdim": [1, 1, 1]} | kwargs}, "base")
    assert filled.mistakes == []
    assert (filled.kwargs["keys"], filled.kwargs["mode"]) == (keys, mode)


@pytest.mark.parametrize("kwargs", [{}, {"mode": "reflect"}, {"mode": ["constant", "edge"]}])
def test_the_mode_of_a_pad_is_left_alone(kwargs: dict[str, Any]) -> None:
    filled = resolved({"SpatialPadd": {"spatial_size": [8, 8, 8]} | kwargs})
    assert filled.mistakes == []
    assert filled.kwargs.get("mode") == kwargs.get("mode")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"RandGaussianNoised": {"keys": ["image", "label"]}},
            ".RandGaussianNoised.keys: RandGaussianNoised would change the values of the label map. Leave `label` out.",
        ),
        (
            {"NormalizeIntensityd": {"keys": "label"}},
            ".NormalizeIntensityd.keys: NormalizeIntensityd would change the values of the label map.",
        ),
        (
            {"RandZoomd": {"mode": ["area", "bilinear"]}},
            ".RandZoomd.mode: 'bilinear' would interpolate between the classes of the label map. "
            "Use nearest for `label`.",
        ),
        ({"RandAffined": {"mode": ["nearest", 3]}}, ".RandAffined.mode: 3 would interpolate between the classes"),
        (
            {"RandAffined": {"mode": ["bilinear"]}},
            ".RandAffined.mode: expected one for each of image, label, found ['bilinear'].",
        ),
        (
            {"RandSmoothDeformd": {"spatial_size": [8] * 3, "rand_size": [3] * 3, "grid_mode": ["bilinear"] * 2}},
            ".RandSmoothDeformd.grid_mode: 'bilinear' would interpolate between the classes of the label map.",
        ),
        ({"RandFlipd": {"keys": ["img"]}}, ".RandFlipd.keys: expected image or label, found 'img'."),
        ({"RandFlipd": {"keys": ["pred"]}}, ".RandFlipd.keys: expected image or label, found 'pred'."),
        ({"RandFlipd": {"keys": 5}}, ".RandFlipd.keys: expected image or label, found 5."),
        ({"RandFlipd": {"keys": None}}, ".RandFlipd.keys: expected image or label, found None."),
        (
            {"RandFlipd": {"keys": []}},
            ".RandFlipd.keys: expected image or label, found nothing. Take RandFlipd out, or name one.",
        ),
        (
            {"SpatialPadd": {"spatial_sise": [8, 8, 8]}},
            ".SpatialPadd.spatial_sise is not a keyword of SpatialPadd. Did you mean spatial_size?",
        ),
        (
            {"SpatialPadd": {"spatial_size": [8, 8, 8], "valeu": 1}},
            ".SpatialPadd.valeu is not a keyword of SpatialPadd. Did you mean value?",
        ),
        ("SpatialPadd", ".SpatialPadd: SpatialPadd needs the keyword spatial_size."),
        ({"SpatialPadd": {"spatial_size": [8], "method": "x"}}, ".SpatialPadd: SpatialPadd refuses these keywords:"),
        (
            "RandFlip",
            ": RandFlip is not a known transform. It works on arrays; the one that works on cases is RandFlipd.",
        ),
        ({"Lambdad": {"keys": "image"}}, ".Lambdad: Lambdad needs the keyword func."),
        ("Lambdad", ".Lambdad: say what it is applied to, `keys: [image]` or `keys: [image, label]`."),
    ],
)
def test_a_wrong_transform_is_one_sentence(spec: Any, expected: str) -> None:
    mistakes = check_pipelines(config(transforms={"base": [], "train": [spec]}))
    assert mistakes[0][1].startswith(f"transforms.train[0]{expected}")
    assert mistakes[0][0][:3] == ("transforms", "train", 0)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"RandFlipd": {"keys": ["image"]}}, "transforms.post[0].RandFlipd.keys: expected pred, found 'image'."),
        ({"GaussianSmoothd": {"sigma": 1}}, "transforms.post[0].GaussianSmoothd.keys: GaussianSmoothd would change the "
         "values of the label map. Take GaussianSmoothd out."),
        ({"Resized": {"spatial_size": [8, 8, 8], "mode": ["area"]}}, "transforms.post[0].Resized.mode: 'area' would "
         "interpolate between the classes of the label map. Use nearest for `pred`."),
    ],
)  # fmt: skip
def test_the_prediction_is_a_label_map_too(spec: Any, expected: str) -> None:
    made = config(transforms={"base": [], "train": [], "post": [spec]})
    assert [text for _, text in check_pipelines(made)] == [expected]


def test_all_mistakes_of_all_pipelines_are_told_at_once() -> None:
    made = config(
        transforms={"base": ["LoadImage"], "train": ["RandFlipd", "SpatialPadd"], "post": [{"Resized": {"x": 1}}]}
    )
    keys = [key for key, _ in check_pipelines(made)]
    assert keys == [
        ("transforms", "base", 0, "LoadImage"),
        ("transforms", "train", 1, "SpatialPadd"),
        ("transforms", "post", 0, "Resized", "x"),
        ("transforms", "post", 0, "Resized"),
    ]


def test_a_wrong_transform_cannot_be_built() -> None:
    with pytest.raises(ComponentError, match="Did you mean RandFlipd"):
        build_pipeline(config(transforms={"train": ["RandFlpd"]}), "train")


def _case() -> dict[str, MetaTensor]:
    label = torch.zeros(1, 8, 8, 8)
    label[:, 2:6, 2:6, 2:6] = 2
    return {"image": MetaTensor(torch.rand(2, 8, 8, 8)), "label": MetaTensor(label)}


def test_labels_keep_their_values_through_everything_that_is_filled_in() -> None:
    train = [
        {"RandAffined": {"rotate_range": [0.5, 0.5, 0.5], "prob": 1}},
        {"RandZoomd": {"prob": 1, "min_zoom": 0.7, "max_zoom": 1.3}},
        {"RandSmoothDeformd": {"spatial_size": [8, 8, 8], "rand_size": [3, 3, 3], "prob": 1}},
        {"RandGridDistortiond": {"prob": 1}},
        {"RandGaussianNoised": {"prob": 1}},
        {"Resized": {"spatial_size": [11, 11, 11]}},
    ]
    before = _case()
    after = build_pipeline(config(transforms={"train": train}), "train").set_random_state(0)(before)
    assert set(after["label"].unique().tolist()) == {0.0, 2.0}
    assert after["image"].shape == (2, 11, 11, 11)


def test_without_a_label_transforms_are_applied_to_the_image_alone() -> None:
    base = [
        {"Resized": {"spatial_size": [4, 4, 4]}},
        {"SpatialPadd": {"spatial_size": [6, 6, 6], "mode": ["constant", "edge"]}},
        {"LabelToMaskd": {"select_labels": [1]}},
    ]
    pipeline = build_pipeline(config(transforms={"base": base}), "base", with_label=False)
    assert [type(transform) for transform in pipeline.transforms] == [mt.Resized, mt.SpatialPadd]
    assert pipeline({"image": _case()["image"]})["image"].shape == (2, 6, 6, 6)


@pytest.mark.parametrize(
    ("section", "spec", "sentence"),
    [
        (
            "base",
            {"RandFlipd": {"spatial_axis": 0}},
            r"base\[0\]\.RandFlipd: RandFlipd is random, .* to transforms\.train",
        ),
        (
            "base",
            {"CropForegroundd": {"source_key": "label"}},
            r"\.source_key: CropForegroundd would look at the label",
        ),
        ("base", {"MaskIntensityd": {"mask_key": "label"}}, r"\.mask_key: MaskIntensityd would look at the label"),
        ("train", {"Spacingd": {"pixdim": [1, 1, 1]}}, r"Spacingd needs the geometry .* Move it to transforms\.base"),
        ("train", {"Orientationd": {"axcodes": "RAS"}}, r"Orientationd needs the geometry"),
    ],
)
def test_a_transform_in_the_wrong_pipeline_is_told_with_the_right_one(
    section: str, spec: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ComponentError, match=sentence):
        resolved(spec, section).construct()


@pytest.mark.parametrize("name", ["RandFlipd", "RandRotate90d", "CropForegroundd", "Transposed", "Resized"])
@pytest.mark.parametrize(("key", "other"), [("image", "label"), ("label", "image")])
def test_voxels_of_one_of_image_and_label_alone_are_not_moved(name: str, key: str, other: str) -> None:
    mistakes = [text for _, text in resolved({name: {"keys": [key]}}).mistakes]
    assert (
        f"transforms.train[0].{name}.keys: {name} would move the voxels of the {key} alone, and {other} and {key} "
        "would part. Leave `keys` out, or name both."
    ) in mistakes


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("LoadImaged", {}),
        ("EnsureChannelFirstd", {}),
        ("EnsureTyped", {}),
        ("CastToTyped", {}),
        ("SqueezeDimd", {}),
        ("NormalizeIntensityd", {}),
        ("LambdaD", {"func": abs}),
    ],
)
def test_what_moves_no_voxel_may_be_applied_to_the_image_alone(name: str, kwargs: dict[str, Any]) -> None:
    assert resolved({name: kwargs | {"keys": ["image"]}}, "base").mistakes == []


OWN = """
from monai.transforms import Flipd, MapTransform

class Own(MapTransform):
    def __init__(self, keys=("image", "label"), allow_missing_keys=False):
        super().__init__(keys, allow_missing_keys)
    def __call__(self, data):
        return data | {key: data[key] * 2 for key in self.keys}

class Masked(Own):
    def __init__(self, keys="mask"):
        super().__init__(keys)
"""


@pytest.fixture
def own(tmp_path: Path) -> dict[str, str]:
    """The patch section for a script whose transforms have keys by default."""
    (tmp_path / "own.py").write_text(OWN)
    return {"transforms": str(tmp_path / "own.py")}


def test_keys_that_a_transform_has_by_default_lose_the_label_where_there_is_none(own: dict[str, str]) -> None:
    made = config(transforms={"base": ["Own"]}, patch=own)
    case = {"image": torch.ones(1, 2), "label": torch.ones(1, 2)}
    assert float(build_pipeline(made, "base")(case)["label"].max()) == 2
    alone = build_pipeline(made, "base", with_label=False)({"image": torch.ones(1, 2)})
    assert float(alone["image"].max()) == 2


def test_keys_that_a_transform_has_by_default_are_checked_like_others(own: dict[str, str]) -> None:
    made = config(transforms={"base": ["Masked"], "train": [], "post": ["Own"]}, patch=own)
    assert [text for _, text in check_pipelines(made)] == [
        "transforms.base[0].Masked.keys: expected image or label, found 'mask'.",
        "transforms.post[0].Own.keys: expected pred, found 'image'.",
        "transforms.post[0].Own.keys: expected pred, found 'label'.",
    ]


WINDOW = {"spatial_size": [8, 8, 8]}


def mistakes_in_classification(section: str, spec: Any, **sections: Any) -> list[str]:
    made = config(transforms={"base": [], "train": [], section: [spec]}, task="classification", **sections)
    return [text for _, text in check_pipelines(made)]


@pytest.mark.parametrize(
    ("section", "spec", "key", "remedy"),
    [
        ("train", {"RandCropByPosNegLabeld": WINDOW}, "", "use RandSpatialCropd"),
        ("train", {"RandCropByPosNegLabeld": WINDOW | {"label_key": "label"}}, ".label_key", "use RandSpatialCropd"),
        ("base", {"RandCropByLabelClassesd": WINDOW}, "", "use RandSpatialCropd"),
        ("train", {"RandWeightedCropd": WINDOW | {"w_key": "label"}}, ".w_key", "take RandWeightedCropd out"),
        ("base", {"CropForegroundd": {"source_key": "label"}}, ".source_key", "use `image`"),
        ("base", {"MaskIntensityd": {"mask_key": "label"}}, ".mask_key", "use `image`"),
        ("base", {"LabelToMaskd": {"select_labels": [1]}}, "", "take LabelToMaskd out"),
        ("train", "FgBgToIndicesd", "", "take FgBgToIndicesd out"),
        ("train", {"RandFlipd": {"keys": ["image", "label"]}}, ".keys", "leave `label` out"),
        ("train", {"RandFlipd": {"keys": "label"}}, ".keys", "take RandFlipd out"),
        ("train", {"CutMixd": {"keys": "image", "batch_size": 2, "label_keys": ["label"]}}, ".label_keys",
         "take CutMixd out"),
    ],
)  # fmt: skip
def test_what_works_on_label_maps_is_one_sentence_in_classification(
    section: str, spec: Any, key: str, remedy: str
) -> None:
    name = spec if isinstance(spec, str) else next(iter(spec))
    assert mistakes_in_classification(section, spec) == [
        f"transforms.{section}[0].{name}{key}: classification has no label map; {remedy}."
    ]


@pytest.mark.parametrize("post", [["FillHolesd"], ["NoSuchd", {"KeepLargestConnectedComponentd": {"x": 1}}]])
def test_post_processing_of_a_classification_is_one_sentence(post: list[Any]) -> None:
    made = config(transforms={"base": [], "train": [], "post": post}, task="classification")
    assert check_pipelines(made) == [
        (
            ("transforms", "post"),
            "transforms.post: classification has no label map to work on after the prediction; leave it empty.",
        )
    ]


@pytest.mark.parametrize(
    ("section", "spec"),
    [
        ("base", "LoadImaged"),
        ("base", {"CropForegroundd": {"source_key": "image"}}),
        ("base", {"Resized": {"spatial_size": [8, 8, 8], "mode": ["area"]}}),
        ("train", {"RandFlipd": {"keys": ["image"]}}),
        ("train", {"RandAffined": {"mode": "nearest"}}),
        ("train", {"RandCropByPosNegLabeld": WINDOW | {"label_key": "image"}}),
        ("train", {"RandSpatialCropd": {"roi_size": [8, 8, 8]}}),
    ],
)
def test_what_works_on_images_is_no_mistake_in_classification_and_gets_the_image_alone(section: str, spec: Any) -> None:
    assert mistakes_in_classification(section, spec) == []
    made = config(transforms={"base": [], "train": [], section: [spec]}, task="classification")
    [transform] = build_pipeline(made, section, with_label=False).transforms
    assert list(transform.keys) == ["image"]


def test_a_key_that_no_case_of_a_classification_has_is_told() -> None:
    assert mistakes_in_classification("train", {"RandFlipd": {"keys": ["img"]}}) == [
        "transforms.train[0].RandFlipd.keys: expected image, found 'img'."
    ]


def test_own_transforms_lose_the_label_that_they_have_by_default_in_classification(tmp_path: Path) -> None:
    own = """
class Weighed(Own):
    def __init__(self, keys=("image", "label"), label_key=None):
        super().__init__(keys)
        self.label_key = label_key
"""
    (tmp_path / "own.py").write_text(OWN + own)
    patch = {"transforms": str(tmp_path / "own.py")}
    for name in ("Own", "Weighed"):
        assert mistakes_in_classification("train", name, patch=patch) == []
    made = config(transforms={"train": ["Weighed"]}, task="classification", patch=patch)
    [transform] = build_pipeline(made, "train", with_label=False).transforms
    assert (list(transform.keys), transform.label_key) == (["image"], None)
