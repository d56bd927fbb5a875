"""Running means in files: the same however the cases are divided, and nothing is left behind."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from trainlib.config.schema import Config
from trainlib.data.cache import DiskCache
from trainlib.data.prepare import Preparation
from trainlib.data.splits import Case, read_split
from trainlib.ensemble import chunks as chunking
from trainlib.ensemble import probabilities
from trainlib.ensemble.chunks import Demand, chunks, voxels_in
from trainlib.ensemble.decision import Decision
from trainlib.ensemble.members import members_of
from trainlib.ensemble.opinions import Opinions
from trainlib.ensemble.probabilities import Cases, class_opinions, map_opinions
from trainlib.ensemble.scratch import scratch_folder
from trainlib.folders.ensemble import Ensemble


def collected(ensemble: Ensemble, scratch: Path, members: list[int]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    checkpoints = [members_of(ensemble)[number].run.checkpoint for number in members]
    cases = read_split(ensemble.config, "test")
    found = map_opinions(ensemble.config, checkpoints, cases, scratch, kept=False)
    return [(case.name, opinions.probabilities, np.array(opinions.label_maps)) for case, opinions in found]


def test_the_result_does_not_depend_on_how_many_cases_have_room(
    finished: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    together = collected(finished, tmp_path / "a", [0, 1, 2])
    monkeypatch.setattr(chunking, "MOST_BYTES", 1)
    alone = collected(finished, tmp_path / "b", [0, 1, 2])
    assert [name for name, _, _ in together] == ["case_009", "case_010", "case_011"]
    for (name, mean, maps), (other, other_mean, other_maps) in zip(together, alone, strict=True):
        assert name == other
        assert np.array_equal(mean, other_mean)
        assert np.array_equal(maps, other_maps)
    assert list((tmp_path / "a").iterdir()) == list((tmp_path / "b").iterdir()) == []


def test_members_that_are_alike_predict_and_score_like_one(finished: Ensemble, tmp_path: Path) -> None:
    member = members_of(finished)[1]
    decision = Decision(finished.config)
    checkpoints = [member.run.checkpoint] * 2
    rows = []
    cases = read_split(finished.config, "test")
    for case, opinions in map_opinions(finished.config, checkpoints, cases, tmp_path, kept=True):
        label_maps = [(method, decision.label_map(opinions, method)) for method in ("mean", "vote", "staple")]
        rows += decision.score(case, opinions, label_maps)
    own = member.run.cases.query("split == 'test'").drop(columns="split").to_dict("records")
    for method in ("mean", "vote", "staple"):
        mine = [{key: value for key, value in row.items() if key != "model"} for row in rows if row["model"] == method]
        assert mine == own


def test_cases_come_in_parts_that_have_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [10, 10, 30, 5, 5, 5]
    cases = []
    for number, size in enumerate(sizes):
        path = tmp_path / f"{number}.nii.gz"
        nib.save(nib.Nifti1Image(np.zeros((size, 10, 10), np.int16), np.eye(4)), path)
        cases.append(Case(str(number), number + 2, (path,), None, None, "test.csv"))
    config: Any = SimpleNamespace(task="segmentation", out_channels=2)
    demand = Demand(config, members=3)
    monkeypatch.setattr(chunking, "MOST_BYTES", 20 * 100 * (4 * 2 + 2 * 3))
    assert names(chunks(cases, tmp_path, demand)) == [["0", "1"], ["2"], ["3", "4", "5"]]
    assert list(chunks([], tmp_path, demand)) == []


def names(parts: Iterable[list[Case]]) -> list[list[str]]:
    return [[case.name for case in part] for part in parts]


@pytest.mark.parametrize(("task", "expected"), [("segmentation", 120 * (4 * 2 + 2 * 3 + 5)), ("classification", 600)])
def test_a_case_takes_sum_label_maps_and_the_prepared_image(tmp_path: Path, task: str, expected: int) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), tmp_path / "a.nii")
    case = Case("a", 2, (tmp_path / "a.nii",), None, None, "test.csv")
    (tmp_path / "cache" / "ab").mkdir(parents=True)
    (tmp_path / "cache" / "ab" / "c.safetensors").write_bytes(bytes(5 * 240))
    config: Any = SimpleNamespace(task=task, out_channels=2)
    demand = Demand(config, members=3)
    demand.learn([case, case], tmp_path / "cache")
    assert demand(case) == expected


@pytest.mark.parametrize("disk", ["none", "disk"])
def test_the_scratch_folder_never_holds_more_than_is_allowed(
    finished: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str
) -> None:
    data = finished.config.data.model_copy(update={"cache": disk})
    config = finished.config.model_copy(update={"data": data})
    checkpoints = [member.run.checkpoint for member in members_of(finished)]
    cases = read_split(config, "test")
    parts: list[int] = []
    most: list[int] = []
    predict = probabilities._predict

    def watched(*arguments: Any) -> None:
        predict(*arguments)
        parts.append(len(arguments[2].cases["predict"]))
        most.append(sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()))

    monkeypatch.setattr(probabilities, "_predict", watched)
    # Room for two of the three cases, which are of one size.
    voxels = voxels_in(cases[0].images[0])
    DiskCache(Preparation(config, with_label=False), tmp_path / "cache").get(cases[0])
    prepared = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.safetensors"))
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(chunking, "MOST_BYTES", int(2.1 * (voxels * (4 * 3 + 2 * 3) + prepared)))
    for _ in map_opinions(config, checkpoints, cases, tmp_path, kept=False):
        pass
    assert parts == [2, 2, 2, 1, 1, 1]
    assert 2 * voxels * (4 * 3 + 2 * 3) + prepared < max(most) <= chunking.MOST_BYTES
    assert list(tmp_path.iterdir()) == []


def test_classes_are_predicted_in_parts_too(
    finished: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    def predict(config: Config, checkpoint: Path, module: Cases, receive: Callable[[dict[str, Any]], None]) -> None:
        assert len([*module.predict_dataloader()]) == 1
        for index, case in enumerate(module.cases["predict"]):
            value = float(case.name[-1]) + 10 * int(checkpoint.name)
            receive({"index": index, "row": {f"probability_{name}": value for name in config.data.classes}})
        kept.append(len([*tmp_path.rglob("*.safetensors")]))

    monkeypatch.setattr(probabilities, "_predict", predict)
    monkeypatch.setattr(chunking, "MOST_BYTES", 1)
    cases = read_split(finished.config, "test")
    config = finished.config.model_copy(update={"task": "classification"})
    found = class_opinions(config, [Path("0"), Path("1")], cases, tmp_path, kept=False)
    assert found[:, :, 0].tolist() == [[9, 0, 1], [19, 10, 11]]
    assert found.shape == (2, 3, 3)
    assert kept == [1] * 6
    assert list(tmp_path.iterdir()) == []


def test_voxels_are_counted_by_the_header(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), tmp_path / "a.nii")
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, 3), np.int16), np.eye(4)), tmp_path / "b.nii.gz")
    Image.new("RGB", (7, 8)).save(tmp_path / "c.png")
    (tmp_path / "d.mha").write_bytes(b"1234")
    found = [voxels_in(tmp_path / name) for name in ("a.nii", "b.nii.gz", "c.png", "d.mha", "absent.nii")]
    assert found == [120, 120, 56, 64, 16]


def test_a_label_on_another_grid_is_scored_there(finished: Ensemble, tmp_path: Path) -> None:
    mean = np.zeros((3, 6, 6, 6), np.float32)
    mean[0], mean[2, 2:4, 2:4, 2:4] = 0.4, 0.6
    affine = np.diag([2.0, 2, 2, 1])
    label = np.zeros((12, 12, 12), np.int16)
    label[4:8, 4:8, 4:8] = 2
    finer = np.diag([1.0, 1, 1, 1])
    finer[:3, 3] = -0.5  # the corners of both grids lie at the same place
    nib.save(nib.Nifti1Image(label, finer), tmp_path / "label.nii.gz")
    case = Case("a", 2, (tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz", None, "test.csv")
    opinions = Opinions(mean, np.stack([mean.argmax(axis=0)] * 2), affine)
    decision = Decision(finished.config)
    label_map = decision.label_map(opinions, "vote")
    [_, row] = decision.score(case, opinions, [("vote", label_map)])
    assert (row["class"], row["label_ml"], row["prediction_ml"]) == ("lesion", 0.064, pytest.approx(0.064, abs=0.03))
    assert row["dice"] > 0.8


def test_a_decision_is_made_into_a_volume_for_each_class_only_where_grids_differ(
    finished: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label, affine = np.zeros((6, 6, 6), np.int16), np.diag([2.0, 2, 2, 1])
    label[2:4, 2:4, 2:4] = 2
    case = Case("a", 2, (tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz", None, "test.csv")
    decision = Decision(finished.config)
    opinions = Opinions(np.stack([label == 0, label == 1, label == 2]).astype(np.float32), label[None], affine)
    made: list[int] = []
    one_hot = Decision._one_hot
    monkeypatch.setattr(Decision, "_one_hot", lambda self, values: made.append(1) or one_hot(self, values))
    for other, expected in ((affine, 0), (np.diag([1.0, 2, 2, 1]), 1)):
        nib.save(nib.Nifti1Image(label, other), tmp_path / "label.nii.gz")
        rows = decision.score(case, opinions, [("vote", label)])
        assert len(made) == expected
        assert (rows[1]["dice"] == 1) == (expected == 0)


def killed_while_it_predicts(home: Path) -> None:
    with scratch_folder(home, home) as folder:
        (folder / "large").touch()
        (home / "ready").touch()
        time.sleep(60)


def test_a_scratch_folder_goes_and_takes_what_a_killed_process_left_with_it(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=killed_while_it_predicts, args=(tmp_path,))
    process.start()
    try:
        while not (tmp_path / "ready").exists():
            time.sleep(0.02)
        with scratch_folder(tmp_path, tmp_path / "results") as folder:
            (folder / "large").touch()
            assert len([*tmp_path.glob(".scratch-*/large")]) == 2  # that of a living process is left alone
        assert len([*tmp_path.glob(".scratch-*")]) == 1
    finally:
        process.kill()
        process.join()
    with scratch_folder(tmp_path, tmp_path / "results") as folder:
        assert [*tmp_path.glob(".scratch-*")] == [folder]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".scratch.lock", "ready"]


def test_where_nothing_can_be_written_beside_the_members_the_scratch_folder_is_beside_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with scratch_folder(tmp_path / "home", tmp_path / "results") as folder:
        assert folder.parent == tmp_path / "results"
    assert not (tmp_path / "home").exists()
