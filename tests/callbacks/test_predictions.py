"""Predicted files: written beside the network, all of them there at the end, none of them half."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.data.helpers import save, volume
from trainlib.callbacks import predictions
from trainlib.callbacks.predictions import PredictionWriter
from trainlib.data.splits import Case
from trainlib.errors import DataError, Interrupted
from trainlib.system.files import atomic_path

SHAPE = (12, 10, 9)


def trainer_of(folder: Path, count: int) -> Any:
    cases = []
    for i in range(count):
        image = save(folder / f"i{i}.nii.gz", volume(i))
        cases.append(Case(f"case{i}", i + 2, (image,), None, None, "new.csv"))
    config = SimpleNamespace(data=SimpleNamespace(image_cols=["image"]))
    return SimpleNamespace(datamodule=SimpleNamespace(cases={"predict": cases}, config=config))


def outputs(index: int, shape: tuple[int, ...] = SHAPE) -> dict[str, Any]:
    label_map = np.full(shape, index, dtype=np.int16)
    return {"predictions": [{"index": index, "label_map": label_map, "affine": np.eye(4)}]}


def test_all_files_are_there_before_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, writer = trainer_of(tmp_path, 4), PredictionWriter(tmp_path / "out")
    for index in (2, 0, 3, 1):
        writer.on_predict_batch_end(trainer, None, outputs(index))  # type: ignore[arg-type]
    write_text = predictions.write_text
    present: list[str] = []

    def look(path: Path, text: str) -> None:
        present.extend(sorted(file.name for file in path.parent.iterdir()))
        write_text(path, text)

    monkeypatch.setattr(predictions, "write_text", look)
    writer.on_predict_end(trainer, None)  # type: ignore[arg-type]
    assert present == [f"case{i}.nii.gz" for i in range(4)]
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert table["prediction"].tolist() == present
    for i in range(4):
        assert (np.asarray(nib.load(tmp_path / "out" / f"case{i}.nii.gz").dataobj) == i).all()


def test_the_next_case_goes_on_while_a_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, writer, go = trainer_of(tmp_path, 2), PredictionWriter(tmp_path / "out"), threading.Event()
    write = predictions.write_label_map
    monkeypatch.setattr(predictions, "write_label_map", lambda *arguments: (go.wait(20), write(*arguments)))
    for index in range(2):
        writer.on_predict_batch_end(trainer, None, outputs(index))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
    go.set()
    writer.on_predict_end(trainer, None)  # type: ignore[arg-type]
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 2


def test_a_file_that_cannot_be_written_is_told_and_the_table_is_not_written(tmp_path: Path) -> None:
    trainer, writer = trainer_of(tmp_path, 1), PredictionWriter(tmp_path / "out")
    writer.on_predict_batch_end(trainer, None, outputs(0, (3, 3, 3)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"i0.nii.gz: the prediction has shape \(3, 3, 3\)"):
        writer.on_predict_end(trainer, None)  # type: ignore[arg-type]
    assert not (tmp_path / "out" / "predictions.csv").exists()


def test_an_interruption_leaves_whole_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, writer = trainer_of(tmp_path, 2), PredictionWriter(tmp_path / "out")
    begun, go, over = threading.Event(), threading.Event(), threading.Event()

    def write(path: Path, *_: Any) -> None:
        try:
            with atomic_path(path) as temporary:
                temporary.write_bytes(b"half")
                begun.set()
                go.wait(20)
        finally:
            over.set()

    monkeypatch.setattr(predictions, "write_label_map", write)
    monkeypatch.setattr(predictions, "_PATIENCE", 0.05)
    writer.on_predict_batch_end(trainer, None, outputs(0))  # type: ignore[arg-type]
    begun.wait(20)
    assert len(list((tmp_path / "out").iterdir())) == 1
    writer.on_predict_batch_end(trainer, None, outputs(1))  # type: ignore[arg-type]
    writer.on_exception(trainer, None, Interrupted(2))  # type: ignore[arg-type]
    assert list((tmp_path / "out").iterdir()) == []
    go.set()
    over.wait(20)
    assert list((tmp_path / "out").iterdir()) == []
