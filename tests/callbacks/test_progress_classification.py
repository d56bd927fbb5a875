"""Pictures of how a classification sharpens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainlib.callbacks.progress.classification import ClassificationProgress
from trainlib.config.schema import Config
from trainlib.folders.run import RunFolder

MODULE = "trainlib.callbacks.progress.classification"


def rows_of(predictions: str) -> list[dict[str, Any]]:
    """Write the rows of cases that are all of class a; two cases may have the same name."""
    probabilities = {"a": (0.9, 0.1), "b": (0.2, 0.8)}
    return [
        {"case": "scan", "label": "a", "prediction": name}
        | {f"probability_{other}": p for other, p in zip("ab", probabilities[name], strict=True)}
        for name in predictions
    ]


def test_of_several_validations_in_an_epoch_the_last_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainlib.callbacks.progress import classification

    matrices, original = [], classification.draw_confusion

    def watched(matrix: Any, *arguments: Any) -> Any:
        matrices.append(matrix.tolist())
        return original(matrix, *arguments)

    monkeypatch.setattr(f"{MODULE}.draw_confusion", watched)
    data = {"train_csv": "t", "valid_csv": "v", "classes": ["a", "b"]}
    progress = ClassificationProgress(
        Config.model_validate({"task": "classification", "data": data}), RunFolder(tmp_path)
    )
    for first, second in (("bb", "b"), ("aa", "b")):
        progress.collect({"rows": rows_of(first)}, {"index": [0, 1]}, [])
        progress.collect({"rows": rows_of(second)}, {"index": [2]}, [])
    assert progress.draw("epoch 1", 2) is not None
    assert matrices == [[[2, 1], [0, 0]]]
    assert progress.draw("epoch 2", 2) is None
