"""What the index tells of names is what building the components tells of them, word for word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainlib.build.catalogue import make_catalogue
from trainlib.build.check import check_components
from trainlib.build.spelling import spelling_mistakes
from trainlib.config.schema import Config

DATA = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "organ"], "channels": 1}
INDEX = make_catalogue()

MISTAKES: list[dict[str, Any]] = [
    {"model": {"UNett": {"channels": [4, 8]}}},
    {"model": {"UNet": {"channels": [4, 8], "stride": [2]}}},
    {"model": {"UNet": {"channels": "4, 8", "strides": [2]}}},
    {"model": "Wombat"},
    {"model": {"UNet": {"channels": [4, 8], "strides": [2], "weights": "runs/a"}}},
    {"loss": "DiceLos"},
    {"loss": {"DiceLoss": {"sofmax": True}}},
    {"optimizer": {"AdamW": {"lrr": 0.1}}},
    {"optimizer": {"AdamW": {"params": 0.1}}},
    {"optimizer": {"AdamW": {"eps": "small"}}},
    {"scheduler": {"OneCycleLR": {"pct_strat": 0.1}}},
    {"scheduler": "OneCycle"},
    {"inferer": {"SlidingWindowInferer": {"overlapp": 0.1}}},
    {"transforms": {"base": ["LoadImage"]}},
    {"transforms": {"train": [{"RandFlipd": {"spatial_axes": 0}}]}},
    {"transforms": {"post": [{"KeepLargestConnectedComponentd": {"connectivty": 1}}]}},
    {"callbacks": ["EMAWeightAverage"]},
    {"callbacks": [{"Timer": {"durations": "1"}}]},
    {"trainer": {"logger": "CSVLoger", "max_epochs": 1}},
    {"trainer": {"logger": [{"CSVLogger": {"nam": "a"}}], "max_epochs": 1}},
    {"trainer": {"max_epoch": 3, "max_epochs": 1}},
    {"trainer": {"gpus": 1, "max_epochs": 1}},
    {"trainer": {"callbacks": [], "max_epochs": 1}},
]


@pytest.mark.parametrize("sections", MISTAKES, ids=lambda sections: str(sections)[:60])
def test_a_misspelt_name_is_told_as_building_the_component_tells_it(sections: dict[str, Any]) -> None:
    config = Config.model_validate({"data": DATA, **sections})
    found = spelling_mistakes(config, INDEX)
    assert len(found) == 1
    assert set(found) <= set(check_components(config))


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"task": "classification"},
        {"task": "classification", "transforms": {"post": ["Wombatd"]}},
        {"model": {"torch.nn.Conv3d": {"wombat": 1}}},
        {"model": {"resnet18": {"shortcut_type": "A", "spatial_dims": 3}}},
        {"model": {"bundle": "somewhere"}},
        {"patch": {"model": "mine.py"}, "model": "Mine"},
        {"patch": {"transforms": "mine.py"}, "transforms": {"base": ["Mine", {"LoadImaged": {"mine": 1}}]}},
        {"transforms": {"train": [{"RandFlipDict": {"prob": 1}}, {"SpatialPadd": {"spatial_size": 9, "value": 1}}]}},
        {"callbacks": [{"my.package.Callback": {"wombat": 1}}], "trainer": {"logger": None, "max_epochs": 1}},
    ],
    ids=str,
)
def test_what_is_right_or_comes_from_elsewhere_is_left_alone(sections: dict[str, Any]) -> None:
    assert spelling_mistakes(Config.model_validate({"data": DATA, **sections}), INDEX) == []


def test_mistakes_are_found_without_the_heavy_packages(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: {train_csv: a.csv, valid_csv: b.csv, classes: [a, b]}\nmodel: UNett\ntrainer: {epochs: 3}\n")
    code = (
        "import sys, pathlib, platformdirs\n"
        f"platformdirs.user_cache_dir = lambda _: {str(tmp_path)!r}\n"
        "from trainlib.config.load import read_config\n"
        "from trainlib.preflight import component_problems, spelling_problems\n"
        f"loaded = read_config([pathlib.Path({str(path)!r})])\n"
        "found = spelling_problems(loaded)\n"
        "if sys.argv[1] == 'first':\n"
        "    assert found is None and len(component_problems(loaded)) == 2\n"
        "else:\n"
        "    first = [problem.text.split('.')[0] for problem in found]\n"
        "    assert first == ['model: UNett is not a known model', 'trainer']\n"
        "    assert not {'torch', 'monai', 'lightning'} & sys.modules.keys()\n"
        "    assert component_problems(loaded, told=found) == []\n"
    )
    for turn in ("first", "second"):
        subprocess.run([sys.executable, "-c", code, turn], check=True)
