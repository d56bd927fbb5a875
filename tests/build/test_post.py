from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.build.helpers import config
from trainlib.build.pipelines import check_pipelines

RULE = "post-processing gets the label map itself; argmax and one-hot are done already."


def post(*specs: Any, dims: int = 3, **sections: Any) -> list[tuple[Any, str]]:
    transforms = {"base": [], "train": [], "post": list(specs)}
    return check_pipelines(config({"spatial_dims": dims}, transforms=transforms, **sections))


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"AsDiscreted": {"argmax": True}}, "returns 0 everywhere"),
        ({"AsDiscreted": {"to_onehot": 3}}, "returns shape (3, 12, 12, 12) for a label map of shape (1, 12, 12, 12)"),
        ({"AsDiscreted": {"argmax": True, "to_onehot": 3}}, "returns shape (3, 12, 12, 12)"),
        ({"Activationsd": {"softmax": True}}, "returns 1 everywhere"),
        ({"Activationsd": {"sigmoid": True}}, "returns 0 everywhere"),
        ({"Resized": {"spatial_size": [8, 8, 8]}}, "returns shape (1, 8, 8, 8)"),
        ({"DeleteItemsd": {"keys": "pred"}}, "raises KeyError: 'pred'"),
        ({"MapLabelValued": {"orig_labels": [1, 2], "target_labels": [3, 4]}}, "returns 3, which is no class"),
    ],
)
def test_what_makes_no_label_map_of_a_label_map_is_refused(spec: dict[str, Any], fault: str) -> None:
    [name] = spec
    [(key, text)] = post("KeepLargestConnectedComponentd", spec)
    assert key == ("transforms", "post", 1, name)
    assert text.startswith(f"transforms.post[1].{name}: {fault}")
    assert text.endswith(f": {RULE} Take {name} out.")


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "spec",
    [
        "KeepLargestConnectedComponentd",
        {"KeepLargestConnectedComponentd": {"applied_labels": [1]}},
        "FillHolesd",
        {"LabelFilterd": {"applied_labels": [2]}},
        {"RemoveSmallObjectsd": {"min_size": 3000}},
        {"AsDiscreted": {"rounding": "torchrounding"}},
    ],
)
def test_what_keeps_a_label_map_is_accepted(spec: Any, dims: int) -> None:
    assert post(spec, dims=dims) == []


def test_many_classes_are_tried_as_well() -> None:
    classes = ["background", *(f"organ {i}" for i in range(120))]
    transforms = {"base": [], "train": [], "post": [{"AsDiscreted": {"rounding": "torchrounding"}}]}
    assert check_pipelines(config({"classes": classes, "spatial_dims": 2}, transforms=transforms)) == []


def test_a_transform_of_a_patch_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "from monai.transforms import MapTransform\n"
        "class Faulty(MapTransform):\n"
        "    def __call__(self, data):\n"
        "        raise ValueError('no')\n"
    )
    [(key, text)] = post({"Faulty": {"keys": "pred"}}, patch={"transforms": str(script)})
    assert key == ("transforms", "post", 0, "Faulty")
    assert text == f"{script}:4: Faulty failed on a label map: ValueError: no."


def test_nothing_is_written_by_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [(_, text)] = post("SaveImaged")
    assert text == "transforms.post[0].SaveImaged: predictions are written without it. Take SaveImaged out."
    assert list(tmp_path.iterdir()) == []


def test_the_trial_leaves_random_states_alone(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import numpy as np\nfrom monai.transforms import MapTransform\n"
        "class Drawing(MapTransform):\n"
        "    def __call__(self, data):\n        np.random.rand()\n        return data\n"
    )
    np.random.seed(0)
    assert post({"Drawing": {"keys": "pred"}}, patch={"transforms": str(script)}) == []
    assert np.random.rand() == np.random.RandomState(0).rand()
