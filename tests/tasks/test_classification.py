"""The classification task on tensors made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainlib.config.schema import Config
from trainlib.errors import InputError
from trainlib.tasks import TASKS, ClassificationTask

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]])


def make_task(labels: list[str] | None = None, **sections: Any) -> ClassificationTask:
    """A task with three classes and a tiny network, in 2-D."""
    data = {"train_csv": "t.csv", "valid_csv": "v.csv", "classes": ["a", "b", "c"], "spatial_dims": 2}
    data |= {"label_cols": labels} if labels else {}
    network = {"DenseNet": {"init_features": 4, "growth_rate": 2, "block_config": [1]}}
    task = ClassificationTask(
        Config.model_validate({"task": "classification", "data": data, "model": network} | sections)
    )
    task.configure_model()
    return task


def test_the_task_is_found_by_its_name() -> None:
    assert TASKS["classification"] is ClassificationTask


def test_logits_have_a_number_for_each_class() -> None:
    task = make_task().eval()
    assert task(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


def test_cross_entropy_gets_indices() -> None:
    target = torch.tensor([0, 2])
    expected = nn.functional.cross_entropy(LOGITS, target)
    assert torch.equal(make_task()._loss(LOGITS, target), expected)


def test_binary_cross_entropy_gets_zeros_and_ones() -> None:
    task = make_task(loss="BCEWithLogitsLoss")
    one_hot = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    expected = nn.functional.binary_cross_entropy_with_logits(LOGITS, one_hot)
    assert torch.equal(task._loss(LOGITS, torch.tensor([0, 2])), expected)


def test_several_label_columns_are_binary_cross_entropy_by_default() -> None:
    task = make_task(labels=["a", "b", "c"])
    target = torch.tensor([[1, 0, 1], [0, 0, 0]])
    expected = nn.functional.binary_cross_entropy_with_logits(LOGITS, target.float())
    assert torch.equal(task._loss(LOGITS, target), expected)


def test_losses_of_monai_get_a_channel() -> None:
    from monai.losses import FocalLoss

    target = torch.tensor([0, 2])
    expected = FocalLoss(to_onehot_y=True, use_softmax=True)(LOGITS, target[:, None])
    task = make_task(loss={"FocalLoss": {"use_softmax": True}})
    assert task._loss(LOGITS, target) == pytest.approx(expected)


def test_class_weights_reach_the_loss() -> None:
    weight = [1.0, 2.0, 4.0]
    task = make_task(loss={"CrossEntropyLoss": {"weight": weight}})
    expected = nn.functional.cross_entropy(LOGITS, torch.tensor([1, 2]), torch.tensor(weight))
    assert torch.equal(task._loss(LOGITS, torch.tensor([1, 2])), expected)


def test_a_row_names_what_is_true_and_what_is_predicted() -> None:
    task = make_task()
    row = task._row(task._to_probabilities(LOGITS)[0].double(), torch.tensor(2))
    assert (row["label"], row["prediction"]) == ("c", "a")
    expected = LOGITS[0].softmax(dim=0)
    assert [row[f"probability_{name}"] for name in "abc"] == pytest.approx(expected.tolist())


def test_a_row_of_a_multi_label_task_has_a_column_for_each_class() -> None:
    task = make_task(labels=["a", "b", "c"])
    row = task._row(task._to_probabilities(LOGITS)[0].double(), torch.tensor([1, 1, 0]))
    assert [row[f"label_{name}"] for name in "abc"] == [1, 1, 0]
    assert [row[f"prediction_{name}"] for name in "abc"] == [1, 0, 1]
    assert row["probability_b"] == pytest.approx(float(torch.sigmoid(torch.tensor(-1.0))))


@pytest.mark.parametrize("labels", [None, ["a", "b", "c"]])
def test_confident_cases_do_not_tie(labels: list[str] | None) -> None:
    logits = torch.tensor([[value, 0.0, 0.0] for value in (20.0, 22.0, 25.0)])
    probabilities = make_task(labels)._to_probabilities(logits)[:, 0]
    rows = 1 / (1 + (1 if labels else 2) * np.exp(-np.array([20.0, 22.0, 25.0])))
    np.testing.assert_allclose(1 - probabilities.numpy(), 1 - rows, rtol=1e-4)
    assert probabilities.argsort().tolist() == [0, 1, 2]
    assert len(set(probabilities.tolist())) == 3


def test_a_prediction_of_exactly_half_agrees_with_the_metrics() -> None:
    task = make_task(labels=["a", "b", "c"])
    assert task._row(torch.tensor([0.5, 0.4, 0.6]), None)["prediction_a"] == 0


def test_networks_that_return_more_than_logits_are_understood() -> None:
    task = make_task(model={"ViT": {"img_size": [32, 32], "patch_size": 16, "hidden_size": 12, "num_heads": 2,
                                    "mlp_dim": 8, "num_layers": 1}})  # fmt: skip
    assert task.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 3)


def test_a_network_for_segmentation_is_refused(tmp_path: Any) -> None:
    from types import SimpleNamespace

    task = make_task(model={"UNet": {"channels": [4, 8], "strides": [2]}})
    precision = SimpleNamespace(forward_context=torch.no_grad)
    task._trainer = SimpleNamespace(precision_plugin=precision, strategy=SimpleNamespace(model=None))  # type: ignore
    with pytest.raises(InputError, match=r"a number for each of data\.classes\. Networks for segmentation give a map"):
        task.on_fit_start()
