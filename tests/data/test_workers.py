"""Workers: how many, with how few open files, and what is said when one dies."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from tests.data.helpers import make_cases
from trainlib.data import workers
from trainlib.data.workers import choose_workers, explain_worker_death

GIB = 2**30
ROOT = Path(__file__).resolve().parents[2]

CHOICES = [
    # cores, free memory, cases, bytes of a case, open files, processes, expected
    (16, 64 * GIB, 100, 10 * 2**20, 65536, 1, 8),
    (4, 64 * GIB, 100, 10 * 2**20, 65536, 1, 3),
    (1, 64 * GIB, 100, 10 * 2**20, 65536, 1, 0),
    (16, 64 * GIB, 3, 10 * 2**20, 65536, 1, 3),
    (16, 64 * GIB, 0, 0, 65536, 1, 0),
    (16, 4 * GIB, 100, GIB, 65536, 1, 0),
    (16, 34 * GIB, 100, GIB, 65536, 1, 2),
    (16, 0, 100, 10 * 2**20, 65536, 1, 0),
    (16, 64 * GIB, 100, 10 * 2**20, 128, 1, 4),
    (16, 64 * GIB, 100, 10 * 2**20, 64, 1, 0),
    (16, 64 * GIB, 100, 10 * 2**20, 20, 1, 0),
    (16, 64 * GIB, 100, 10 * 2**20, 65536, 4, 3),
    (2, 64 * GIB, 100, 10 * 2**20, 65536, 4, 0),
]


@pytest.mark.parametrize(("cores", "memory", "cases", "size", "files", "processes", "expected"), CHOICES)
def test_number_of_workers_follows_from_cores_memory_and_open_files(
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    memory: int,
    cases: int,
    size: int,
    files: int,
    processes: int,
    expected: int,
) -> None:
    monkeypatch.setattr(workers, "usable_cores", lambda: cores)
    monkeypatch.setattr(workers, "available_memory", lambda: memory)
    assert choose_workers(cases, size, files, processes) == expected


DEATHS = [
    ("DataLoader worker (pid 42) is killed by signal: Killed. ", "memory ran out"),
    (
        "DataLoader worker (pid 42) is killed by signal: Bus error. It is possible that dataloader's workers are out "
        "of shared memory. Please try to raise your shared memory limit.",
        "--shm-size",
    ),
    (
        "Caught RuntimeError in DataLoader worker process 0.\nTraceback ...\nRuntimeError: unable to allocate shared "
        "memory(shm) for file </torch_7_1_0>: No space left on device (28)",
        "--shm-size",
    ),
    ("DataLoader worker (pid(s) 42, 43) exited unexpectedly", "memory ran out"),
    ("received 0 items of ancdata", "Too many files were open"),
    ("[Errno 24] Too many open files: '/tmp/x'", "Too many files were open"),
]


@pytest.mark.parametrize(("text", "told"), DEATHS)
def test_death_of_a_worker_is_put_into_words_with_the_settings_that_help(text: str, told: str) -> None:
    explanation = explain_worker_death(RuntimeError(text))
    assert explanation is not None
    assert told in explanation
    assert "data.num_workers" in explanation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mat1 and mat2 shapes cannot be multiplied",
        "DataLoader timed out after 5 seconds",
        "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback: it exited unexpectedly",
    ],
)
def test_other_errors_are_not_explained(text: str) -> None:
    assert explain_worker_death(RuntimeError(text)) is None


def run(program: str, *arguments: object) -> str:
    """Run a program in a process of its own, whose limits and deaths are no matter to the tests."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_worker_ignores_ctrl_c_and_ends_by_itself_on_sigterm() -> None:
    program = """
        import os, signal, time
        from trainlib.data.workers import start_worker
        start_worker(0)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        print("too long")
    """
    assert run(program) == "still here\n"


needs_limits = pytest.mark.skipif(workers.resource is None, reason="the system has no limit of open files")


@needs_limits
def test_soft_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    program = """
        import resource, torch.multiprocessing
        from trainlib.data.workers import prepare_open_files
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        before = torch.multiprocessing.get_sharing_strategy()
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, min(hard, 4096) if hard > 0 else 4096))
        print(prepare_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
        assert torch.multiprocessing.get_sharing_strategy() == before
    """
    if 0 < workers.resource.getrlimit(workers.resource.RLIMIT_NOFILE)[1] < 4096:
        pytest.skip("the hard limit of open files is below 4096")
    assert run(program).split() == ["4096"] * 3


@needs_limits
@pytest.mark.skipif(
    "file_system" not in torch.multiprocessing.get_all_sharing_strategies(), reason="tensors cannot be shared by name"
)
def test_128_open_files_do_for_four_workers(tmp_path: Path) -> None:
    make_cases(tmp_path, 30)
    make_cases(tmp_path, 2, "valid.csv", first=30)
    # Batches are kept, and with them what their tensors hold open: more than 128 in all.
    program = """
        import resource, sys
        from pathlib import Path
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
        import torch.multiprocessing
        from tests.data.helpers import batches, make_config, ready
        crops = {"RandCropByPosNegLabeld": {"spatial_size": [8, 8, 8], "num_samples": 4}}
        config = make_config(Path(sys.argv[1]), {"num_workers": 4, "batch_size": 1, "cache": "memory"},
                             transforms={"train": [crops]})
        module = ready(config)
        print(torch.multiprocessing.get_sharing_strategy())
        kept = []
        for epoch in range(2):
            for split in ("train", "valid"):
                kept += batches(module, epoch, split)
        print(len(kept), sum(isinstance(value, torch.Tensor) for batch in kept for value in batch.values()))
    """
    strategy, counts = run(program, tmp_path).splitlines()
    assert strategy == "file_system"
    assert counts.split() == ["64", str(2 * (30 * 2 + 2 * 4))]


def test_killed_worker_is_recognised(tmp_path: Path) -> None:
    make_cases(tmp_path, 4)
    make_cases(tmp_path, 1, "valid.csv", first=4)
    patch = """
        import os, signal
        from monai.transforms import MapTransform

        class Die(MapTransform):
            def __call__(self, data):
                os.kill(os.getpid(), signal.SIGKILL)
    """
    (tmp_path / "patch.py").write_text(textwrap.dedent(patch))
    program = """
        import sys
        from pathlib import Path
        from tests.data.helpers import batches, make_config, ready
        from trainlib.data.workers import explain_worker_death
        root = Path(sys.argv[1])
        config = make_config(root, {"num_workers": 1}, transforms={"train": [{"Die": {"keys": ["image"]}}]},
                             patch={"transforms": str(root / "patch.py")})
        module = ready(config)
        try:
            list(batches(module))
        except RuntimeError as error:
            print(explain_worker_death(error))
    """
    told = run(program, tmp_path)
    assert "most likely because memory ran out" in told
    assert "data.num_workers" in told
    assert told.count("\n") == 1
