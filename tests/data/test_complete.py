"""What a config leaves to the data."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.utils.class_weight import compute_class_weight

from trainlib.config.load import read_config
from trainlib.config.schema import Config
from trainlib.data.complete import complete, with_computable_monitor
from trainlib.data.splits import read_split
from trainlib.errors import ConfigError

Make = Callable[..., Config]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a classification data set whose CSVs hold the given labels, and make a config for it."""

    def write(name: str, labels: list[str], header: str) -> None:
        rows = []
        for i, label in enumerate(labels):
            Image.new("RGB" if "rgb" in header else "L", (8, 8)).save(tmp_path / f"{name}_{i}.png")
            rows.append(f"{name}_{i}.png,{label}")
        (tmp_path / f"{name}.csv").write_text("\n".join([f"image,{header.replace('rgb', 'label')}", *rows]) + "\n")

    def make(train: list[str], valid: list[str] | None = None, header: str = "label", **sections: Any) -> Config:
        write("train", train, header)
        write("valid", train if valid is None else valid, header)
        data = {"root": str(tmp_path), "train_csv": "train.csv", "valid_csv": "valid.csv", "spatial_dims": 2}
        columns = header.replace("rgb", "label").split(",")
        content = {"task": "classification", "data": data | {"label_cols": columns} | sections.pop("data", {})}
        return Config.model_validate(content | sections)

    return make


def test_classes_left_out_are_the_sorted_values_of_the_training_csv(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert complete(make(["malignant", "benign", "benign"])).data.classes == ["benign", "malignant"]
    assert "data.classes: benign, malignant (the values of the column 'label' of train.csv)" in caplog.text


def test_numbers_are_sorted_as_numbers(make: Make) -> None:
    assert complete(make(["10", "9", "1", "9"])).data.classes == ["1", "9", "10"]


def test_classes_that_are_given_keep_their_order(make: Make) -> None:
    config = make(["b", "a"], data={"classes": ["b", "a"]})
    assert complete(config).data.classes == ["b", "a"]


def test_the_classes_of_a_multi_label_task_are_its_columns(make: Make) -> None:
    config = complete(make(["1,0", "0,0"], header="edema,mass"))
    assert config.data.classes == ["edema", "mass"]
    assert config.loss.name == "BCEWithLogitsLoss"
    assert [case.target for case in read_split(config, "train")] == [(1, 0), (0, 0)]


def test_channels_are_those_of_the_first_image(make: Make) -> None:
    assert complete(make(["a", "b"])).in_channels == 1
    assert complete(make(["a", "b"], header="rgb")).in_channels == 3
    assert complete(make(["a", "b"], header="rgb", data={"channels": 1})).in_channels == 1


def test_it_is_the_same_a_second_time(make: Make) -> None:
    config = complete(make(["a", "b", "b"], loss={"CrossEntropyLoss": {"weight": "balanced"}}))
    assert complete(config) == config


def test_a_csv_that_cannot_be_read_is_left_to_the_checks(make: Make, tmp_path: Path) -> None:
    config = make(["a", "b"])
    (tmp_path / "train.csv").unlink()
    assert complete(config).data.classes == []


def test_balanced_weights_are_those_of_scikit_learn(make: Make) -> None:
    labels = ["a"] * 7 + ["b"] * 2 + ["c"]
    config = complete(make(labels, loss={"CrossEntropyLoss": {"weight": "balanced"}}))
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=labels)
    assert config.loss.kwargs["weight"] == pytest.approx(list(expected))


def test_balanced_positive_weights_are_negatives_for_a_positive(make: Make) -> None:
    config = complete(
        make(["1,0", "0,0", "0,1", "0,1"], header="a,b", loss={"BCEWithLogitsLoss": {"pos_weight": "balanced"}})
    )
    assert config.loss.kwargs["pos_weight"] == [3.0, 1.0]


def test_weights_of_a_class_without_cases_stay_as_written_and_are_refused(make: Make) -> None:
    from trainlib.build.check import check_components

    config = complete(make(["a", "a"], data={"classes": ["a", "b"]}, loss={"CrossEntropyLoss": {"weight": "balanced"}}))
    sentences = [text for _, text in check_components(config)]
    assert any(
        "balanced weights cannot be computed: the training CSV has no case of some class" in s for s in sentences
    )


def test_a_validation_of_one_class_is_watched_by_its_loss(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        checkpoint = {"monitor": "valid/auroc", "mode": "max"}
        config = with_computable_monitor(complete(make(["a", "b"], valid=["a", "a"], checkpoint=checkpoint)))
    assert config.checkpoint.monitor == "valid/loss"
    assert config.monitor_mode == "min"
    assert "all validation cases are alike" in caplog.text
    assert with_computable_monitor(complete(make(["a", "b"], valid=["b", "a"]))).checkpoint.monitor == "valid/auroc"
    few = with_computable_monitor(complete(make(["a", "b"], valid=["a", "a", "b"], data={"limit_cases": 2})))
    assert few.checkpoint.monitor == "valid/loss"


def test_a_segmentation_has_to_name_its_classes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: {train_csv: a.csv, valid_csv: b.csv, classes: []}\n")
    assert "data.classes is missing" in str(read_config(path).problems[0])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", "a"], "data.classes: the column 'label' of train.csv does not hold two classes."),
        (["low", "high/low"], "holds 'high/low', and a class has a name without slashes."),
        ([f"scan_{i}" for i in range(20)], "holds 20 different values in 20 rows, such as 'scan_0'."),
    ],
)
def test_cells_that_are_no_classes_are_refused(make: Make, labels: list[str], expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        complete(make(labels))


def test_a_checkpoint_knows_the_classes_when_the_training_csv_is_gone(make: Make, tmp_path: Path) -> None:
    loss = {"CrossEntropyLoss": {"weight": "balanced"}}
    trained = complete(make(["b", "a", "a"], loss=loss))
    (tmp_path / "train.csv").unlink()
    config = complete(Config.model_validate(make_raw(tmp_path, loss)), trained.model_dump(mode="json"))
    assert config.data.classes == ["a", "b"]
    assert config.loss.kwargs == trained.loss.kwargs


def make_raw(root: Path, loss: dict[str, Any]) -> dict[str, Any]:
    data = {"root": str(root), "train_csv": "train.csv", "valid_csv": "valid.csv", "spatial_dims": 2}
    return {"task": "classification", "data": data, "loss": loss}


def test_the_order_of_classes_does_not_depend_on_the_rows(make: Make) -> None:
    orders = [complete(make(labels)).data.classes for labels in (["nan", "1", "2"] * 2, ["2", "nan", "1"] * 2)]
    assert orders == [["1", "2", "nan"]] * 2
