from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.build.helpers import config, texts
from trainlib.build.resolve import ComponentError, collect, facts, resolve
from trainlib.config.component import Component
from trainlib.errors import ConfigError, PatchError


def test_facts_are_those_of_the_data() -> None:
    made = config({"spatial_dims": 2}, transforms={"train": [{"RandSpatialCropd": {"roi_size": [32, 16]}}]})
    known = facts(made)
    assert (known["spatial_dims"], known["in_channels"], known["n_input_channels"]) == (2, 2, 2)
    assert (known["out_channels"], known["num_classes"]) == (3, 3)
    assert known["roi_size"] == known["img_size"] == [32, 16]


def _resolve(spec: Any, **known: Any) -> Any:
    made = config(model=spec)
    return resolve("model", ("model",), made.model, made, known)


def test_what_is_known_is_filled_in_where_the_signature_has_it() -> None:
    filled = _resolve({"BasicUNet": {"act": "relu"}}, spatial_dims=3, in_channels=2, no_such_keyword=1)
    assert filled.kwargs == {"spatial_dims": 3, "in_channels": 2, "act": "relu"}
    assert filled.key == ("model", "BasicUNet")


def test_the_config_wins_over_what_is_known() -> None:
    assert _resolve({"BasicUNet": {"in_channels": 7}}, in_channels=2).kwargs == {"in_channels": 7}


def test_an_unknown_and_a_missing_keyword_are_told_together() -> None:
    with pytest.raises(ComponentError) as caught:
        _resolve(
            {"UNet": {"chanels": [4, 8], "strides": [2]}}, spatial_dims=3, in_channels=1, out_channels=2
        ).construct()
    assert texts(caught.value) == [
        "model.UNet.chanels is not a keyword of UNet. Did you mean channels?",
        "model.UNet: UNet needs the keyword channels.",
    ]
    assert [key for key, _ in caught.value.mistakes] == [("model", "UNet", "chanels"), ("model", "UNet")]


def test_values_that_a_class_refuses_are_one_sentence() -> None:
    with pytest.raises(
        ComponentError, match=r"^model.UNet: UNet refuses these keywords: ValueError: the length of"
    ) as caught:
        _resolve({"UNet": {"channels": [4], "strides": []}}, spatial_dims=3, in_channels=1, out_channels=2).construct()
    assert "\n" not in str(caught.value)


def test_a_package_that_is_missing_is_not_blamed_on_the_keywords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lazy_nets.py").write_text("def net():\n    import no_such_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ComponentError, match=r"lazy_nets.net needs a package that cannot be imported: ModuleNotFound"):
        _resolve("lazy_nets.net").construct()


def test_an_unknown_name_points_to_the_name(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match=r"^model: UNett is not a known model. Did you mean UNet\?$") as caught:
        _resolve("UNett")
    [(key, _)] = caught.value.mistakes
    assert key[0] == "model"


def test_a_transform_of_a_patch_that_fails_is_blamed_on_its_line(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("class Ownd:\n    def __init__(self):\n        1 / 0\n")
    made = config(patch={"transforms": str(script)})
    filled = resolve("transform", ("transforms", "train", 0), Component(name="Ownd"), made, {})
    with pytest.raises(PatchError, match=rf"^{script}:3: Ownd failed: ZeroDivisionError: division by zero.$"):
        filled.construct()


def test_collected_mistakes_keep_their_keys() -> None:
    mistakes: list[Any] = [("before", "x")]

    def component() -> None:
        raise ComponentError([(("model", "UNet"), "a"), (("model", "UNet", "x"), "b")])

    def other() -> None:
        raise ConfigError("c")

    assert collect(component, mistakes, ("model",)) is None
    assert collect(other, mistakes, ("loss",)) is None
    assert collect(lambda: 5, mistakes, ("loss",)) == 5
    assert mistakes[1:] == [(("model", "UNet"), "a"), (("model", "UNet", "x"), "b"), (("loss",), "c")]
