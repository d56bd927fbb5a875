"""Running means in files: the same however the cases are divided, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from trainlib.data.splits import Case, read_split
from trainlib.ensemble import chunks as chunking
from trainlib.ensemble.chunks import chunks, voxels_in
from trainlib.ensemble.decision import Decision
from trainlib.ensemble.members import members_of
from trainlib.ensemble.probabilities import Opinions, cache_for, map_opinions
from trainlib.ensemble.scratch import scratch_folder
from trainlib.ensemble_folder import Ensemble


def collected(ensemble: Ensemble, scratch: Path, members: list[int]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    checkpoints = [members_of(ensemble)[number].run.checkpoint for number in members]
    cases = read_split(ensemble.config, "test")
    cache = cache_for(ensemble.config, scratch, kept=True)
    found = map_opinions(ensemble.config, checkpoints, cases, cache, scratch)
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
    cache = cache_for(finished.config, tmp_path, kept=True)
    rows = []
    for case, opinions in map_opinions(
        finished.config, checkpoints, read_split(finished.config, "test"), cache, tmp_path
    ):
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
    config = SimpleNamespace(out_channels=2)
    monkeypatch.setattr(chunking, "MOST_BYTES", 20 * 100 * 4 * 2)
    assert [[case.name for case in part] for part in chunks(config, cases, tmp_path)] == [  # type: ignore[arg-type]
        ["0", "1"], ["2"], ["3", "4", "5"],
    ]  # fmt: skip
    assert list(chunks(config, [], tmp_path)) == []  # type: ignore[arg-type]


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


def test_a_scratch_folder_goes_and_takes_what_a_killed_process_left_with_it(tmp_path: Path) -> None:
    (tmp_path / ".scratch-old" / "sub").mkdir(parents=True)
    (tmp_path / "kept").touch()
    with scratch_folder(tmp_path) as folder:
        (folder / "large").touch()
        assert not (tmp_path / ".scratch-old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
