"""Members side by side: the same bits as one after the other, and a failure of one is told with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ensemble.conftest import make_config
from trainlib.cluster import cluster
from trainlib.ensemble import training
from trainlib.ensemble.members import Member, members_of, train_member
from trainlib.ensemble.opening import open_ensemble
from trainlib.ensemble.training import _with_its_share, train_members
from trainlib.errors import InputError, ResourceError

pytest.importorskip("ray", reason="needs the extra `tune`")

# Ends the process as the kernel does where memory runs out.
DIE = """
import os
class Died:
    def __init__(self): pass
    def __call__(self, data): os.kill(os.getpid(), 9)
"""
FAIL = """
class Faild:
    def __init__(self): pass
    def __call__(self, data): raise RuntimeError("no such thing")
"""


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray, started once for all tests."""
    with cluster(cpus=2) as connected:
        yield connected


@pytest.fixture(autouse=True)
def shared(ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on the Ray that runs already."""

    @contextmanager
    def running(address: str | None = None) -> Iterator[Any]:
        yield ray

    monkeypatch.setattr(training, "cluster", running)


def two_members(tmp_path: Path, phantom: Path, **sections: Any) -> list[Member]:
    config = make_config(tmp_path, phantom, trainer={"max_epochs": 1}, **sections)
    return members_of(open_ensemble(config, "folds", 2))


def test_members_side_by_side_get_the_bits_of_members_one_after_the_other(tmp_path: Path, phantom: Path) -> None:
    together = two_members(tmp_path / "a", phantom)
    train_members(together, parallel=2)
    alone = two_members(tmp_path / "b", phantom)
    train_member(alone[1])
    assert all(member.finished for member in together)
    assert together[1].held_out is not None
    assert alone[1].held_out is not None
    for mine, other in ((together[1].folder, alone[1].folder), (together[1].held_out, alone[1].held_out)):
        assert mine.cases.read_bytes() == other.cases.read_bytes()


@pytest.mark.parametrize(
    ("script", "name", "error", "sentence"),
    [
        (FAIL, "Faild", InputError, "Faild failed .*fail.py:4.*: RuntimeError: no such thing"),
        (DIE, "Died", ResourceError, "its process was ended by the system, most likely because memory ran out. Lower"),
    ],
)
def test_a_failure_on_a_worker_is_told_in_words_and_nothing_more_is_begun(
    tmp_path: Path, phantom: Path, caplog: Any, script: str, name: str, error: type[Exception], sentence: str
) -> None:
    (tmp_path / "fail.py").write_text(script)
    transforms = {"train": [{"SpatialPadd": {"spatial_size": [16, 16, 8]}}, name]}
    sections = {"transforms": transforms, "patch": {"transforms": str(tmp_path / "fail.py")}}
    members = two_members(tmp_path, phantom, **sections)
    with pytest.raises(error, match=f"fold_1: .*{sentence}"):
        train_members([members[0]], parallel=2)
    assert not members[1].folder.path.exists()


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path: Path, phantom: Path) -> None:
    [member, _] = two_members(tmp_path, phantom)
    run = member.config.run.model_copy(update={"root": "/nowhere/else"})
    elsewhere = replace(member, config=member.config.model_copy(update={"run": run}))
    with pytest.raises(
        InputError, match=r"fold_1: run\.root: a worker does not see /nowhere/else\. Put it and data\.root"
    ):
        train_members([elsewhere], parallel=2)


def test_a_member_prepares_cases_with_the_processors_that_it_has(tmp_path: Path, phantom: Path) -> None:
    [member, _] = two_members(tmp_path, phantom, data={"num_workers": "auto"})
    found = [_with_its_share(member, {"num_cpus": cpus}).config.data.num_workers for cpus in (0.5, 1, 4, 64)]
    assert found == [0, 0, 3, 8]
    [fixed, _] = two_members(tmp_path / "b", phantom, data={"num_workers": 5})
    assert _with_its_share(fixed, {"num_cpus": 2}) == fixed
