from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainlib.checkpoints.checkpoint import AtomicCheckpointIO, compare, read_checkpoint
from trainlib.checkpoints.storable import plain
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, DiskFullError

PATH = Path("/runs/heart/checkpoints/last.ckpt")


def config(data: dict[str, Any] | None = None, **sections: Any) -> Config:
    required = {"train_csv": "a", "valid_csv": "b", "classes": ["background", "heart"]}
    return Config.model_validate({"data": required | (data or {}), **sections})


def checkpoint_of(made: Config) -> dict[str, Any]:
    return {"trainlib": {"config": made.model_dump(mode="json")}}


TRAINLIB: dict[str, Any] = {**checkpoint_of(config())["trainlib"], "optimizer": {}, "horizon": [2, 8]}
WHOLE: dict[str, Any] = {
    "trainlib": TRAINLIB,
    "state_dict": {"w": torch.ones(3)},
    "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 2}}}},
    "optimizer_states": [],
    "lr_schedulers": [],
    "epoch": 1,
    "global_step": 7,
    "pytorch-lightning_version": "2.6",
}


def test_a_checkpoint_is_read(tmp_path: Path) -> None:
    torch.save(WHOLE, tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt")["state_dict"]["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state_dict", None),
        ("loops", 3),
        ("optimizer_states", {}),
        ("global_step", "7"),
        ("pytorch-lightning_version", None),
    ],
)
def test_a_part_that_is_missing_or_of_another_kind_is_named(tmp_path: Path, name: str, value: Any) -> None:
    torch.save(WHOLE | {name: value}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=rf"a\.ckpt lacks {name}, which every checkpoint of trainlib has\."):
        read_checkpoint(tmp_path / "a.ckpt")


CONFIG = TRAINLIB["config"]


@pytest.mark.parametrize(
    ("trainlib", "named"),
    [
        ({"config": None}, "trainlib.config"),
        ({"config": CONFIG | {"data": 5}}, "trainlib.config.data"),
        ({"config": CONFIG | {"patch": {}}}, "trainlib.config.patch.optimizer"),
        ({"config": CONFIG | {"scheduler": 3}}, "trainlib.config.scheduler"),
        ({"config": {key: CONFIG[key] for key in CONFIG if key != "optimizer"}}, "trainlib.config.optimizer"),
        ({"horizon": [2]}, "trainlib.horizon"),
        ({"horizon": None, "optimizer": []}, "trainlib.optimizer, trainlib.horizon"),
    ],
)
def test_what_is_missing_of_the_training_in_a_checkpoint_is_named(
    tmp_path: Path, trainlib: dict[str, Any], named: str
) -> None:
    torch.save(WHOLE | {"trainlib": TRAINLIB | trainlib}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=rf"a\.ckpt lacks {re.escape(named)}, which"):
        read_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("loops", "named"), [({}, r"loops\.fit_loop"), ({"fit_loop": {}}, r"loops\.fit_loop\.epoch_progress\.current\..*")]
)
def test_a_checkpoint_that_does_not_know_its_epoch_is_refused(tmp_path: Path, loops: Any, named: str) -> None:
    torch.save(WHOLE | {"loops": loops}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=rf"a\.ckpt lacks {named}, which"):
        read_checkpoint(tmp_path / "a.ckpt")


class Dangerous:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("executed",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"state_dict": {}}, "was not written by trainlib."),
        ([1, 2], "was not written by trainlib."),
        (b"", "cannot be read as a checkpoint; it is damaged or of another kind ("),
        (b"no checkpoint at all", "cannot be read as a checkpoint; it is damaged or of another kind ("),
        (b"PK\x03\x04 cut off", "cannot be read as a checkpoint; it is damaged or of another kind ("),
        ({"trainlib": Dangerous()}, "cannot be read as a checkpoint; it is damaged or of another kind ("),
    ],
    ids=["foreign", "list", "empty", "text", "cut off", "dangerous"],
)
def test_a_file_that_is_no_checkpoint_is_one_sentence(tmp_path: Path, content: Any, expected: str) -> None:
    path = tmp_path / "a.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"--ckpt_path: {path} {expected}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no.ckpt", "."])
def test_a_checkpoint_that_is_missing_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"^--ckpt_path: there is no checkpoint "):
        read_checkpoint(tmp_path / name)


def test_an_equal_config_has_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainlib.checkpoints.checkpoint")
    compare(checkpoint_of(config()), config(), PATH)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"model": {"UNet": {"channels": [4, 8], "strides": [2]}}}, "model.UNet.channels"),
        ({"model": "SegResNet"}, "model"),
        ({"data": {"classes": ["background", "heart", "liver"]}}, "data.classes"),
        ({"data": {"classes": ["heart", "background"]}}, "data.classes"),
        ({"data": {"spatial_dims": 2}}, "data.spatial_dims"),
        ({"data": {"image_cols": ["t1", "t2"]}}, "data.image_cols"),
        ({"patch": {"model": "/m.py"}}, "patch.model"),
    ],
)
def test_a_difference_that_the_weights_depend_on_is_refused_with_its_key(sections: dict[str, Any], key: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        compare(checkpoint_of(config()), config(**sections), PATH)
    texts = [problem.text for problem in caught.value.problems]
    assert any(text.startswith(f"{key} is ") for text in texts)
    assert all(text.endswith("Weights cannot be carried over.") and str(PATH) in text for text in texts)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"optimizer": {"AdamW": {"lr": 0.5}}}, "optimizer.AdamW.lr: now 0.5, in the checkpoint 0.002."),
        ({"trainer": {"max_epochs": 7}}, "trainer.max_epochs: now 7, in the checkpoint 100."),
        ({"data": {"batch_size": 9}}, "data.batch_size: now 9, in the checkpoint 2."),
        ({"early_stopping": {"patience": 3}}, "early_stopping.patience: now 3, in the checkpoint not set."),
        ({"scheduler": None}, "scheduler: now not set, in the checkpoint OneCycleLR."),
    ],
)
def test_other_differences_are_told(sections: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainlib.checkpoints.checkpoint")
    compare(checkpoint_of(config()), config(**sections), PATH)
    assert message in caplog.messages


@pytest.mark.parametrize(
    "sections",
    [
        {"run": {"name": "other", "root": "/elsewhere", "overwrite": True}},
        {"data": {"cache": "none", "cache_dir": "/c", "num_workers": 3}},
    ],
)
def test_what_changes_no_figure_is_not_told(sections: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainlib.checkpoints.checkpoint")
    compare(checkpoint_of(config()), config(**sections), PATH)
    assert caplog.messages == []


CLASSES = ["cyst", "tumour"]


def classification(**data: Any) -> Config:
    return config(data={"classes": CLASSES} | data, task="classification", loss="BCEWithLogitsLoss")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (classification(), classification(label_cols=CLASSES),
         "data.label_cols is ['cyst', 'tumour'], but {path} was trained with ['label']."),
        (classification(label_cols=CLASSES), classification(),
         "data.label_cols is ['label'], but {path} was trained with ['cyst', 'tumour']."),
        (classification(channels=1), classification(channels=3),
         "data.channels is 3, but {path} was trained with 1."),
        (config(), config(data={"channels": 4}), "data.channels is 4, but {path} was trained with not set."),
    ],
)  # fmt: skip
def test_other_outputs_or_channels_are_refused_though_the_classes_are_the_same(
    before: Config, after: Config, expected: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        compare(checkpoint_of(before), after, PATH)
    assert [p.text for p in caught.value.problems] == [f"{expected.format(path=PATH)} Weights cannot be carried over."]


def test_of_a_checkpoint_of_another_task_only_the_task_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainlib.checkpoints.checkpoint")
    now = config(data={"classes": CLASSES, "channels": 3, "label_cols": CLASSES}, task="classification", seed=1)
    with pytest.raises(CheckpointError) as caught:
        compare(checkpoint_of(config()), now, PATH)
    assert str(caught.value) == (
        f"task is 'classification', but {PATH} was trained with 'segmentation'. Weights cannot be carried over."
    )
    assert caplog.messages == []


def test_where_weights_cannot_be_carried_over_other_differences_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainlib.checkpoints.checkpoint")
    with pytest.raises(CheckpointError, match=r"^model is SegResNet, but "):
        compare(checkpoint_of(config(model="UNETR")), config(model="SegResNet", seed=1, data={"batch_size": 9}), PATH)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"data": {"image_cols": "scan"}}, {"data": {"image_cols": "image"}}, ["data.image_cols: now ['image']"]),
        ({"patch": {"model": "/here/m.py"}}, {"patch": {"model": "/there/m.py"}}, []),
        ({}, {"data": {"channels": 1}}, ["data.channels: now 1"]),
        (
            {"data": {"channels": 3}},
            {"data": {"image_cols": ["r", "g", "b"]}},
            ["data.channels: now not set", "data.image_cols: now ['r', 'g', 'b']"],
        ),
        ({"data": {"label_cols": "mask"}}, {"data": {"label_cols": "label"}}, ["data.label_cols: now ['label']"]),
        ({}, {"data": {"root": "/moved"}}, ["data.root: now '/moved'"]),
    ],
)
def test_what_the_weights_do_not_depend_on_is_no_obstacle(
    before: dict[str, Any], after: dict[str, Any], told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "trainlib.checkpoints.checkpoint")
    compare(checkpoint_of(config(**before)), config(**after), PATH)
    assert [message.split(", in the checkpoint")[0] for message in caplog.messages] == told


def test_a_checkpoint_is_written_beside_its_final_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        moves.append((self.parent, torch.load(self, weights_only=True)["epoch"], Path(target)))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))  # a folder for temporary files is not needed
    path = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 3}, path)
    assert moves == [(path.parent, 3, path)]
    assert list(path.parent.iterdir()) == [path]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match=r"last\.ckpt cannot be written: the disk is full"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_loading_a_checkpoint_executes_nothing(tmp_path: Path) -> None:
    torch.save({"trainlib": Dangerous()}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"a\.ckpt cannot be read as .* \(it holds _pytest.* which is code"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "a.ckpt", weights_only=False)


def test_what_numpy_has_in_a_checkpoint_is_written_as_plain_numbers_and_tensors(tmp_path: Path) -> None:
    state = {"lr": np.float64(0.1), "last": [np.int64(3), (np.float32(0.5), True)], "table": np.arange(3.0), 7: "x"}
    AtomicCheckpointIO().save_checkpoint({"lr_schedulers": [state]}, tmp_path / "a.ckpt")
    [found] = torch.load(tmp_path / "a.ckpt", weights_only=True)["lr_schedulers"]
    assert found.pop("table").tolist() == [0.0, 1.0, 2.0]
    assert found == {"lr": 0.1, "last": [3, (0.5, True)], 7: "x"}
    assert isinstance(state["lr"], np.float64)


def test_weights_without_numpy_are_written_as_they_are() -> None:
    weights = torch.nn.BatchNorm1d(3).state_dict()
    assert plain(weights) is weights
    changed = plain(type(weights)(weights, lr=np.float64(1)))
    assert list(changed) == [*weights, "lr"]
    assert type(changed["lr"]) is float


@pytest.mark.parametrize("held", [Path("/"), Dangerous(), lambda rate: rate], ids=["path", "object", "function"])
def test_what_no_checkpoint_can_hold_is_told_at_the_first_one_with_its_section(tmp_path: Path, held: Any) -> None:
    with pytest.raises(CheckpointError, match=r"^scheduler: its state holds what a checkpoint cannot \("):
        AtomicCheckpointIO().save_checkpoint({"epoch": 1, "lr_schedulers": [{"of": held}]}, tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []
