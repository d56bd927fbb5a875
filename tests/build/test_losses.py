from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.build.helpers import config
from trainlib.build.components import build_loss
from trainlib.build.losses import loss_facts
from trainlib.build.resolve import ComponentError, resolve

LOGITS, LABEL = torch.randn(2, 3, 4, 4, 4), torch.randint(0, 3, (2, 1, 4, 4, 4))


def kwargs(spec: Any, data: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    made = config(data, loss=spec, **sections)
    return resolve("loss", ("loss",), made.loss, made, lambda keywords: loss_facts(keywords, made)).kwargs


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("DiceLoss", {"to_onehot_y": True, "softmax": True}),
        ({"DiceLoss": {"to_onehot_y": True}}, {"to_onehot_y": True, "softmax": True}),
        ({"DiceLoss": {"sigmoid": True}}, {"to_onehot_y": True, "sigmoid": True}),
        ({"DiceLoss": {"softmax": False}}, {"to_onehot_y": True, "softmax": False}),
        ({"TverskyLoss": {"other_act": None}}, {"to_onehot_y": True, "other_act": None}),
        ({"DiceLoss": {"to_onehot_y": False}}, {"to_onehot_y": False, "softmax": True}),
        ("FocalLoss", {"to_onehot_y": True}),
        ("CrossEntropyLoss", {}),
        ("tests.build.test_losses.OwnLoss", {}),
    ],
)
def test_what_follows_from_the_task_is_filled_in(spec: Any, expected: dict[str, Any]) -> None:
    assert kwargs(spec) == expected


@pytest.mark.parametrize(
    ("spec", "single", "multi"),
    [
        ("FocalLoss", {"to_onehot_y": True, "use_softmax": True}, {"to_onehot_y": False}),
        ({"FocalLoss": {"use_softmax": False}}, {"to_onehot_y": True, "use_softmax": False},
         {"to_onehot_y": False, "use_softmax": False}),
        ("DiceCELoss", {"to_onehot_y": True, "softmax": True}, {"to_onehot_y": False, "sigmoid": True}),
        ("TverskyLoss", {"to_onehot_y": True, "softmax": True}, {"to_onehot_y": False, "sigmoid": True}),
        ({"DiceLoss": {"sigmoid": True}}, {"to_onehot_y": True, "sigmoid": True},
         {"to_onehot_y": False, "sigmoid": True}),
        ({"DiceLoss": {"other_act": None}}, {"to_onehot_y": True, "other_act": None},
         {"to_onehot_y": False, "other_act": None}),
        ("BCEWithLogitsLoss", {}, {}),
    ],
)  # fmt: skip
def test_classes_of_a_classification_exclude_each_other_unless_it_has_several_label_columns(
    spec: Any, single: dict[str, Any], multi: dict[str, Any]
) -> None:
    assert kwargs(spec, task="classification") == single
    assert kwargs(spec, {"label_cols": ["background", "left", "right"]}, task="classification") == multi


def test_focal_loss_of_a_classification_takes_the_softmax() -> None:
    logits, target = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0])
    loss = build_loss(config(loss={"FocalLoss": {"gamma": 0.0}}, task="classification"))
    expected = torch.nn.functional.cross_entropy(logits, target)  # which focal loss without focus is, over 3 classes
    assert float(loss(logits, target[:, None])) == pytest.approx(float(expected) / 3, rel=1e-5)


def test_focal_loss_of_a_multi_label_task_is_binary_for_each_class() -> None:
    logits, target = torch.randn(5, 3), torch.randint(0, 2, (5, 3)).float()
    data = {"label_cols": ["background", "left", "right"]}
    loss = build_loss(config(data, loss={"FocalLoss": {"gamma": 0.0}}, task="classification"))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    assert float(loss(logits, target)) == pytest.approx(float(expected), rel=1e-5)


class OwnLoss(torch.nn.Module):
    """A loss that is not MONAI's, whose keywords may mean something else."""

    def __init__(self, softmax: str = "", to_onehot_y: str = "") -> None:
        super().__init__()


@pytest.mark.parametrize(
    "name", ["DiceLoss", "DiceFocalLoss", "GeneralizedDiceLoss", "TverskyLoss", "FocalLoss", "HausdorffDTLoss"]
)
def test_a_bare_loss_takes_logits_and_a_label_map(name: str) -> None:
    assert build_loss(config(loss=name))(LOGITS, LABEL).isfinite()


def test_a_perfect_prediction_has_no_dice_loss() -> None:
    logits = torch.nn.functional.one_hot(LABEL[:, 0], 3).movedim(-1, 1) * 100.0
    assert float(build_loss(config(loss="DiceLoss"))(logits, LABEL)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "weight"),
    [
        ("CrossEntropyLoss", {}, [0, 1, 2]),
        ("DiceCELoss", {}, [0.5, 1, 2]),
        ("DiceCELoss", {"include_background": False}, [0.5, 1, 2]),
        ("DiceFocalLoss", {}, [0.5, 1, 2]),
        ("DiceFocalLoss", {"include_background": False}, [1, 2]),
        ("DiceLoss", {}, [0.5, 1, 2]),
        ("DiceLoss", {"include_background": False}, [1, 2]),
        ("FocalLoss", {"include_background": False}, [1, 2]),
    ],
)
def test_class_weights_may_be_written_as_a_list(name: str, options: dict[str, Any], weight: list[float]) -> None:
    loss = build_loss(config(loss={name: options | {"weight": weight}}))
    label = LABEL[:, 0] if name == "CrossEntropyLoss" else LABEL
    plain = build_loss(config(loss={name: options}))
    assert float(loss(LOGITS, label)) != float(plain(LOGITS, label))


def test_class_weights_of_cross_entropy_are_those_of_the_list() -> None:
    loss = build_loss(config(loss={"CrossEntropyLoss": {"weight": [1, 2, 5]}}))
    expected = torch.nn.functional.cross_entropy(LOGITS, LABEL[:, 0], torch.tensor([1.0, 2.0, 5.0]))
    assert float(loss(LOGITS, LABEL[:, 0])) == float(expected)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"CrossEntropyLoss": {"weight": [1, 2]}},
         "loss.CrossEntropyLoss.weight: expected 3 numbers, one for each of data.classes, found [1, 2]."),
        ({"DiceCELoss": {"weight": [1, 2], "include_background": False}},
         "loss.DiceCELoss.weight: expected 3 numbers, one for each of data.classes, found [1, 2]."),
        ({"DiceLoss": {"weight": [1, 2, 3], "include_background": False}}, "loss.DiceLoss.weight: expected 2 numbers, "
         "one for each of data.classes but the background, found [1, 2, 3]."),
        ({"CrossEntropyLoss": {"weight": ["a", 1, 2]}},
         "loss.CrossEntropyLoss.weight: expected numbers, found ['a', 1, 2]."),
        ("NLLLoss", "loss.NLLLoss: NLLLoss expects log-probabilities, and a network gives logits. "
         "Use CrossEntropyLoss."),
        ("torch.nn.NLLLoss", "loss.torch.nn.NLLLoss: torch.nn.NLLLoss expects log-probabilities, "
         "and a network gives logits. Use CrossEntropyLoss."),
    ],
)  # fmt: skip
def test_a_loss_that_does_not_fit_the_task_is_one_sentence(spec: Any, expected: str) -> None:
    with pytest.raises(ComponentError) as caught:
        build_loss(config(loss=spec))
    assert str(caught.value) == expected
