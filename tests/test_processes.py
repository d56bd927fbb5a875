"""A run in two processes: the figures of one process, one folder, one console, one end."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml

import trainlib
from tests.conftest import ROOT, TINY
from tests.test_resume import points, start, wait_for_epochs, weights
from tests.test_run import without_times
from trainlib import fit, load_config, load_run, predict, validate
from trainlib.data.phantom import CLASSES, FINDINGS, make_classification_dataset, make_dataset
from trainlib.folders.results import Run

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]
Begin = Callable[[Path], subprocess.Popen[str]]

# Does something in one process, when its training transforms are called for the n-th time.
TROUBLE = """
import os, signal, time
class Troubled:
    calls = 0
    def __init__(self, how, rank=1, at=6, nap=0.0):
        self.how, self.rank, self.at, self.nap = how, rank, at, nap
    def __call__(self, data):
        time.sleep(self.nap)
        mine = os.environ.get("RANK", os.environ.get("SLURM_PROCID")) == str(self.rank)
        Troubled.calls += mine
        if mine and Troubled.calls == self.at:
            if self.how == "raise":
                raise ValueError("a broken voxel")
            if self.how == "stop":
                from trainlib.errors import Interrupted
                raise Interrupted(15)
        return data
"""


class Watched:
    """A command, what it printed, and its run."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.done = done
        self.folder = folder
        self.run: Run = load_run(folder)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, phantom: Path, cli: Cli) -> Watched:
    """A training of two processes: 6 training, 3 validation and 3 test cases."""
    root = tmp_path_factory.mktemp("two")
    data = {"root": str(phantom), **{f"{s}_csv": f"{s}.csv" for s in ("train", "valid", "test")}, "num_workers": 0}
    content = TINY | {
        "run": {"name": "two", "root": str(root)},
        "data": data | {"classes": CLASSES, "batch_size": 1},
        "trainer": {"max_epochs": 2, "devices": 2},
        "progress": {"cases": 2},
        "report": {"resamples": 100},
    }
    (root / "config.yaml").write_text(yaml.safe_dump(content))
    done = cli("fit", "-c", root / "config.yaml")
    assert done.returncode == 0, done.stderr
    return Watched(done, root / "two")


def test_there_is_one_run_folder_with_everything_in_it(two: Watched) -> None:
    assert sorted(path.name for path in two.folder.parent.iterdir()) == [".cache", "config.yaml", "two"]
    assert two.run.folder.report.is_file()
    assert [frame.name for frame in two.run.folder.frames] == ["epoch_00001.png", "epoch_00002.png"]
    assert len(list(two.run.folder.logs.glob("events.*"))) == 1
    assert points(two.run) == [2, 5]  # six cases, two of them in a step
    assert two.run.metrics["epoch"].tolist() == [0, 1]
    assert torch.load(two.run.folder.last, weights_only=True)["trainlib"]["processes"] == 2
    assert list(two.folder.rglob(".writing-*")) == []


def test_everything_is_said_once(two: Watched) -> None:
    lines = two.done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("epoch ")]) == 2
    for word in ("Preparing 9 of 9 cases.", "Run folder: ", "run folder ", "model: ", "checkpoint "):
        assert len([line for line in lines if line.startswith(word)]) == 1, word
    assert two.done.stderr == ""
    log = two.run.folder.log.read_text().splitlines()
    assert len([line for line in log if "  epoch " in line]) == 2


def test_every_case_is_in_the_tables_once_in_the_order_of_the_csv(two: Watched, phantom: Path) -> None:
    for split in ("valid", "test"):
        with (phantom / f"{split}.csv").open(newline="") as file:
            names = [Path(row["image"]).name.removesuffix(".nii.gz") for row in csv.DictReader(file)]
        cases = two.run.cases
        assert cases.loc[cases["split"] == split, "case"].tolist() == [name for name in names for _ in CLASSES[1:]]
    table = pd.read_csv(two.run.folder.predictions / "predictions.csv")
    assert table["case"].tolist() == names
    assert all((two.run.folder.predictions / name).is_file() for name in table["prediction"])
    assert len(list((two.run.folder.pictures / "test").iterdir())) == 3


def test_the_picture_of_an_epoch_shows_the_cases_of_both_processes(two: Watched) -> None:
    from PIL import Image

    alone = fit(two.run.config.model_copy(update=_here(two, "alone", devices=1, max_epochs=1)))
    sizes = [Image.open(run.folder.frames[0]).size for run in (alone, two.run)]
    assert sizes[0] == sizes[1]


def _here(two: Watched, name: str, **trainer: Any) -> dict[str, Any]:
    config = two.run.config
    return {"run": config.run.model_copy(update={"name": name}), "trainer": config.trainer | trainer, "report": None}


def test_a_checkpoint_has_the_scores_of_one_process(two: Watched) -> None:
    config = two.run.config.model_copy(update=_here(two, "again", devices=1))
    for split, score in (("test", trainlib.test), ("valid", validate)):
        expected = two.run.scores(split)
        found = score(config, two.run.checkpoint)
        assert {f"{split}/{name}" for name in expected} <= found.keys()
        for name, value in expected.items():
            assert found[f"{split}/{name}"] == pytest.approx(value, abs=1e-6, nan_ok=True)
    best = two.run.metrics["valid/dice"].max()
    assert best == pytest.approx(found["valid/dice"], abs=1e-6)
    row = two.run.metrics.loc[two.run.metrics["valid/dice"].idxmax()]
    assert row["valid/loss"] == pytest.approx(found["valid/loss"], abs=1e-6)


PLAIN = {
    "model": {"UNet": {"channels": [4, 8], "strides": [2], "num_res_units": 1, "norm": "instance"}},
    "optimizer": {"SGD": {"lr": 0.05}},
    "scheduler": None,
    "transforms": {
        "base": TINY["transforms"]["base"],
        "train": [
            {"SpatialPadd": {"spatial_size": [16, 16, 8]}},
            {"RandSpatialCropd": {"roi_size": [16, 16, 8]}},
            {"RandFlipd": {"spatial_axis": 0, "prob": 0.5}},
            {"RandGaussianNoised": {"std": 0.1}},
        ],
    },
}
"""A training in which a step depends on nothing but the cases in it."""


@pytest.mark.slow
def test_two_processes_train_as_one_does_with_batches_of_twice_the_size(write_config: WriteConfig) -> None:
    options: dict[str, Any] = {**PLAIN, "trainer": {"max_epochs": 3}}
    one = fit(load_config(write_config(**options, data={"batch_size": 2}), ["run.name=one"]))
    both = fit(load_config(write_config(**options, data={"batch_size": 1}), ["run.name=both", "trainer.devices=2"]))
    theirs = weights(one)
    assert all(torch.allclose(value, theirs[name], atol=1e-5) for name, value in weights(both).items())
    for name in ("train/loss", "valid/loss", "valid/dice"):
        assert both.metrics[name].tolist() == pytest.approx(one.metrics[name].tolist(), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("count", [15, 14, 1])
def test_any_number_of_cases_has_the_scores_of_one_process(
    two: Watched, tmp_path_factory: pytest.TempPathFactory, count: int
) -> None:
    root = tmp_path_factory.getbasetemp() / "fifteen"
    if not root.exists():
        make_dataset(root, cases=(1, 1, 15), shape=(24, 24, 14))
    scores = []
    for devices in (1, 2):
        update = _here(two, f"count_{count}_{devices}", devices=devices)
        data = two.run.config.data.model_copy(update={"root": str(root), "limit_cases": count})
        scores.append(trainlib.test(two.run.config.model_copy(update=update | {"data": data}), two.run.checkpoint))
    assert scores[0].keys() == scores[1].keys()
    assert list(scores[1].values()) == pytest.approx(list(scores[0].values()), abs=1e-6, nan_ok=True)
    folders = sorted(two.folder.glob("test_test*"))[-2:]
    tables = [pd.read_csv(folder / "cases.csv") for folder in folders]
    assert len(tables[0]) == count * 2
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["memory", "none"])
def test_predictions_are_those_of_one_process(two: Watched, tmp_path: Path, phantom: Path, cache: str) -> None:
    data = two.run.config.data.model_copy(update={"cache": cache, "num_workers": 1})
    outs = []
    for devices in (1, 2):
        update = _here(two, "predicted", devices=devices)
        config = two.run.config.model_copy(update=update | {"data": data})
        outs.append(predict(config, two.run.checkpoint, out=tmp_path / str(devices), probabilities=True))
    tables = [(out / "predictions.csv").read_text() for out in outs]
    assert tables[0] == tables[1]
    names = sorted(path.name for path in outs[0].iterdir())
    assert names == sorted(path.name for path in outs[1].iterdir())
    for name in (name for name in names if name.endswith(".nii.gz")):
        images = [np.asarray(nib.load(out / name).dataobj) for out in outs]
        np.testing.assert_array_equal(*images)


@pytest.fixture
def troubled(write_config: WriteConfig, tmp_path: Path) -> Callable[..., Path]:
    """Write a config of a training of two processes in which something happens to one of them."""
    (tmp_path / "trouble.py").write_text(TROUBLE)

    def write(how: str, data: dict[str, Any] | None = None, epochs: int = 4, devices: int = 2, **options: Any) -> Path:
        train = [*TINY["transforms"]["train"], {"Troubled": {"how": how, **options}}]
        return write_config(
            transforms={"train": train},
            patch={"transforms": str(tmp_path / "trouble.py")},
            trainer={"max_epochs": epochs, "devices": devices},
            data={"batch_size": 1, **(data or {})},
        )

    return write


@pytest.mark.slow
def test_a_resumed_run_of_two_processes_ends_with_the_bits_of_an_uninterrupted_one(
    troubled: Callable[..., Path], cli: Cli, tmp_path: Path
) -> None:
    path = troubled("stop", at=8)
    stopped = cli("fit", "-c", path)
    assert stopped.returncode == 143
    last = tmp_path / "runs" / "tiny" / "checkpoints" / "last.ckpt"
    assert f"--ckpt_path {last}" in stopped.stderr
    assert torch.load(last, weights_only=True)["epoch"] == 1
    assert cli("fit", "-c", path, "--ckpt_path", "last").returncode == 0
    resumed = load_run(tmp_path / "runs" / "tiny")
    straight = fit(load_config(troubled("nothing"), ["run.name=straight"]))
    theirs = weights(straight)
    assert all(torch.equal(value, theirs[name]) for name, value in weights(resumed).items())
    assert without_times(resumed) == without_times(straight)
    assert resumed.folder.cases.read_bytes() == straight.folder.cases.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 1)])
def test_another_number_of_processes_goes_on_as_if_it_had_been_planned(
    write_config: WriteConfig, before: int, now: int
) -> None:
    def config(devices: int, epochs: int, name: str) -> Any:
        path = write_config(data={"test_csv": None, "batch_size": 1}, trainer={"max_epochs": epochs})
        return load_config(path, [f"trainer.devices={devices}", f"run.name={name}"])

    first = fit(config(before, 2, "first"))
    resumed = fit(config(now, 4, "first"), ckpt_path=first.folder.last)
    planned = fit(config(now, 4, "planned"))
    assert resumed.metrics["lr-AdamW"].tolist()[2:] == planned.metrics["lr-AdamW"].tolist()[2:]
    log = resumed.folder.log.read_text()
    assert f"Processes: now {now}, in the checkpoint {before}." in log


@pytest.mark.slow
def test_the_same_number_of_samples_reaches_the_same_dice(write_config: WriteConfig, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "many", cases=(24, 6, 1), shape=(24, 24, 14))
    dice = []
    for devices in (1, 2):
        path = write_config(
            data={"root": str(root), "test_csv": None, "batch_size": 4 // devices},
            model={"UNet": {"channels": [8, 16, 32], "strides": [2, 2], "num_res_units": 1, "dropout": 0.1}},
            trainer={"max_epochs": 15},
            progress=None,
        )
        run = fit(load_config(path, [f"trainer.devices={devices}", f"run.name=on_{devices}"]))
        dice.append(run.metrics["valid/dice"].max())
    assert min(dice) > 0.6, dice
    assert abs(dice[0] - dice[1]) < 0.08, dice


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_bad_case_of_one_process_is_told_once(
    troubled: Callable[..., Path], cli: Cli, tmp_path: Path, rank: int, workers: int
) -> None:
    done = cli("fit", "-c", troubled("raise", rank=rank, at=5, data={"num_workers": workers}))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("train.csv:")
    assert "Troubled failed (" in line
    assert line.endswith("ValueError: a broken voxel.")
    assert _processes_of(tmp_path) == []


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a long training, which ends with the test at the latest."""
    processes: list[subprocess.Popen[str]] = []

    def begin(config: Path) -> subprocess.Popen[str]:
        processes.append(start(config))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def _processes_of(folder: Path) -> list[int]:
    """Find processes that have anything to do with a folder."""
    return [p.pid for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_both_processes_in_good_order(
    troubled: Callable[..., Path], begin: Begin, tmp_path: Path, number: int, status: int
) -> None:
    path = troubled("nothing", epochs=1000, nap=0.2, data={"num_workers": 1})
    process = begin(path)
    run = tmp_path / "runs" / "tiny"
    wait_for_epochs(process, run, 2)
    members = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status  # the one of an ending that took too long is told by another sentence
    [line, command] = errors.splitlines()
    assert line.startswith("Interrupted. It goes on from epoch ")
    assert command.strip() == f"trainlib fit -c {path} --ckpt_path {run / 'checkpoints/last.ckpt'}"
    _, alive = psutil.wait_procs(members, timeout=5)
    assert alive == []


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_is_killed_ends_the_run(
    troubled: Callable[..., Path], begin: Begin, tmp_path: Path, which: int
) -> None:
    process = begin(troubled("nothing", epochs=1000, nap=0.2, data={"num_workers": 1}))
    wait_for_epochs(process, tmp_path / "runs" / "tiny", 1)
    watcher = psutil.Process(process.pid)
    members, everyone = watcher.children(), watcher.children(recursive=True)
    members[which].kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    # Before it a worker of the killed process may say that nobody takes its cases any more.
    assert f"Process {which} was killed by the system, most likely because memory ran out." in errors
    _, alive = psutil.wait_procs(everyone, timeout=5)
    assert alive == []


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_behind(troubled: Callable[..., Path], begin: Begin, tmp_path: Path) -> None:
    process = begin(troubled("nothing", epochs=1000, nap=0.2, data={"num_workers": 1}))
    wait_for_epochs(process, tmp_path / "runs" / "tiny", 1)
    members = psutil.Process(process.pid).children(recursive=True)
    assert len(members) >= 4
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(members, timeout=20)
    assert alive == []


def _torchrun(*arguments: str | Path) -> list[str]:
    module = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "trainlib"]
    return [sys.executable, *module, *map(str, arguments)]


@pytest.mark.slow
def test_torchrun_starts_the_same_run(two: Watched, tmp_path: Path) -> None:
    config = yaml.safe_load((two.folder.parent / "config.yaml").read_text())
    del config["trainer"]["devices"]
    config["run"] = {"name": "torchrun", "root": str(tmp_path)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(_torchrun("fit", "-c", tmp_path / "config.yaml"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "torchrun")
    assert run.config.trainer == {"max_epochs": 2, "devices": 2, "num_nodes": 1}
    assert without_times(run) == without_times(two.run)
    assert run.folder.cases.read_bytes() == two.run.folder.cases.read_bytes()
    assert done.stdout.count("epoch 2/2") == done.stdout.count("run folder ") == 1


@pytest.mark.slow
def test_under_torchrun_a_bad_case_and_a_mistake_are_told_once(
    troubled: Callable[..., Path], write_config: WriteConfig
) -> None:
    bad = subprocess.run(_torchrun("fit", "-c", troubled("raise")), capture_output=True, text=True, check=False)
    assert bad.stderr.count("a broken voxel") == 1
    assert "exitcode  : 2" in bad.stderr
    wrong = _torchrun("fit", "-c", write_config(), "data.batchsize=3")
    mistaken = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert mistaken.stderr.count("data.batchsize is not a setting. Did you mean data.batch_size?") == 1


def _srun(*arguments: str | Path, size: int = 2, **different: dict[str, str]) -> list[tuple[int, str, str]]:
    """Start tasks as `srun` does; `different` are variables of single tasks, by ``rank_n``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_NTASKS": str(size), "SLURM_NNODES": "1"}
    common |= {"SLURM_NODELIST": "127.0.0.1", "MASTER_PORT": str(port), "SLURM_JOB_NAME": "interactive"}
    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "trainlib", *map(str, arguments)],
            env=os.environ
            | common
            | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
            | different.get(f"rank_{rank}", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    ended: dict[int, tuple[str, str]] = {}
    threads = [
        threading.Thread(target=lambda r=rank, t=task: ended.update({r: t.communicate()}))
        for rank, task in enumerate(tasks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [(task.returncode, *ended[rank]) for rank, task in enumerate(tasks)]


@pytest.mark.slow
def test_tasks_of_slurm_do_one_run(write_config: WriteConfig, tmp_path: Path) -> None:
    first, second = _srun("fit", "-c", write_config(data={"batch_size": 1}))
    assert (first[0], second[0]) == (0, 0), (first, second)
    assert second[1:] == ("", "")
    assert first[1].count("epoch 2/2") == 1
    run = load_run(tmp_path / "runs" / "tiny")
    assert run.config.trainer["devices"] == 2
    assert len(run.cases) == 12


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_tasks_of_slurm_end_together_though_nobody_ends_them(troubled: Callable[..., Path], rank: int) -> None:
    ended = _srun("fit", "-c", troubled("raise", rank=rank))
    assert [status for status, *_ in ended] == [2, 2]
    assert "a broken voxel" in ended[rank][2]
    assert ended[1 - rank][2] == ""


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_mistake_that_only_one_task_of_slurm_has_is_told_by_it(
    phantom: Path, write_config: WriteConfig, tmp_path: Path, rank: int
) -> None:
    link = tmp_path / "data"
    link.symlink_to(phantom)
    home = {f"rank_{rank}": {"HOME": str(tmp_path / "nowhere")}, f"rank_{1 - rank}": {"HOME": str(tmp_path)}}
    ended = _srun("fit", "-c", write_config(data={"root": "~/data"}), **home)
    assert [status for status, *_ in ended] == [2, 2]
    assert ended[1 - rank][2] == ""
    assert ("process 1: " in ended[rank][2]) == bool(rank)
    assert "there is no CSV file" in ended[rank][2]


@pytest.mark.slow
def test_two_machines_that_trainlib_starts_on_do_one_run(
    two: Watched, tmp_path: Path, write_config: WriteConfig
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    path = write_config(data={"batch_size": 1}, trainer={"num_nodes": 2, "devices": 1}, run={"name": "machines"})
    command = [sys.executable, "-m", "trainlib", "fit", "-c", str(path)]
    machines = [
        subprocess.Popen(
            command,
            env=os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": str(node)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in (1, 0)
    ]
    outputs = [machine.communicate() for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    run = load_run(tmp_path / "runs" / "machines")
    assert json.dumps(run.metrics["valid/dice"].tolist()) == json.dumps(two.run.metrics["valid/dice"].tolist())


@pytest.mark.slow
@pytest.mark.parametrize("multilabel", [False, True])
def test_a_classification_has_the_scores_of_one_process(
    tmp_path: Path, write_config: WriteConfig, multilabel: bool
) -> None:
    root = tmp_path / "images"
    make_classification_dataset(root, multilabel=multilabel, cases=(13, 7, 7), spatial_dims=2, shape=(32, 32))
    columns = list(FINDINGS) if multilabel else ["label"]
    config = load_config(
        write_config(
            task="classification",
            data={
                "root": str(root),
                "label_cols": columns,
                "classes": list(FINDINGS),
                "spatial_dims": 2,
                "batch_size": 2,
            }
            | ({} if multilabel else {"balance": True}),
            model={"DenseNet121": {"block_config": [2, 2], "init_features": 8, "growth_rate": 4}},
            transforms={"base": ["LoadImaged", "EnsureChannelFirstd", "ScaleIntensityd"], "train": ["RandFlipd"]},
            progress={},
        ),
        ["trainer.devices=2"],
    )
    run = fit(config)
    assert len(run.cases) == 14
    trainer = config.trainer | {"devices": 1}
    alone = trainlib.test(run.config.model_copy(update={"trainer": trainer}), run.checkpoint)
    for name, value in run.scores("test").items():
        assert alone[f"test/{name}"] == pytest.approx(value, abs=1e-6, nan_ok=True)
    assert len(run.folder.frames) == 2
    table = pd.read_csv(predict(run.config, run.checkpoint, out=tmp_path / "out") / "predictions.csv")
    assert len(table) == 7
    assert "leave one over" in run.folder.log.read_text()


@pytest.mark.slow
def test_a_network_that_is_spread_over_the_processes_trains_like_one_that_is_not(
    write_config: WriteConfig, cli: Cli, tmp_path: Path
) -> None:
    script = str(ROOT / "tests" / "processes" / "fsdp_on_cpu.py")
    path = write_config(data={"batch_size": 1}, patch={"model": script}, scheduler=None, trainer={"devices": 2})
    plain = fit(load_config(path, ["run.name=ddp", "trainer.max_epochs=3"]))
    # By the command line, for the script changes torch and Lightning in the process that checks the config too.
    sharded = ["fit", "-c", path, "run.name=fsdp", "trainer.strategy=fsdp"]
    assert cli(*sharded, "trainer.max_epochs=2").returncode == 0
    assert cli(*sharded, "trainer.max_epochs=3", "--ckpt_path", "last").returncode == 0
    run = load_run(tmp_path / "runs" / "fsdp")
    for name in ("train/loss", "valid/loss", "valid/dice"):
        assert run.metrics[name].tolist() == pytest.approx(plain.metrics[name].tolist(), abs=1e-5)
    theirs = weights(plain)
    assert all(torch.allclose(value, theirs[name], atol=1e-5) for name, value in weights(run).items())
    alone = trainlib.test(load_config(path, ["trainer.devices=1"]), run.checkpoint)
    assert alone["test/dice"] == pytest.approx(run.scores("test")["dice"], abs=1e-6)


@pytest.mark.slow
def test_the_gradients_of_a_network_that_is_spread_are_clipped_by_the_norm_of_the_whole(
    write_config: WriteConfig, cli: Cli, tmp_path: Path
) -> None:
    script = str(ROOT / "tests" / "processes" / "fsdp_on_cpu.py")
    trainer = {"devices": 2, "max_epochs": 1, "gradient_clip_val": 0.05}
    path = write_config(**PLAIN | {"optimizer": {"SGD": {"lr": 1.0}}}, patch={"model": script}, trainer=trainer)
    plain = fit(load_config(path, ["run.name=ddp"]))
    done = cli("fit", "-c", path, "run.name=fsdp", "trainer.strategy=fsdp")
    assert done.returncode == 0, done.stderr
    theirs, free = weights(plain), weights(fit(load_config(path, ["run.name=free", "trainer.gradient_clip_val=null"])))
    found = weights(load_run(tmp_path / "runs" / "fsdp"))
    assert all(torch.allclose(value, theirs[name], atol=1e-5) for name, value in found.items())
    assert not all(torch.allclose(value, theirs[name], atol=1e-2) for name, value in free.items())
