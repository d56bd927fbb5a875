"""What `trainlib doctor` says of machines that nobody has, and of this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from trainlib.commands.doctor.examine import CHECKS, examine
from trainlib.commands.doctor.facts import GIB, MIB, Disk, Facts, Gpu, Requirement, Torch
from trainlib.commands.doctor.gather import gather
from trainlib.commands.doctor.gpus import parse_driver
from trainlib.commands.doctor.packages import import_failures, installed_versions, requirements
from trainlib.config.load import load_config
from trainlib.data.machine import total_memory, usable_cores
from trainlib.debug.finding import Finding

H100 = Gpu("NVIDIA H100", 80 * GIB, 79 * GIB, (9, 0))
WORKSTATION = Facts(
    system="Linux",
    python="3.11.7",
    packages={"trainlib": "0.1.0", "lightning": "2.6.6", "monai": "1.6.1", "tensorboard": "2.21.0"},
    requirements=(Requirement("trainlib", "torch>=2.6", "2.13.0+cu128"), Requirement("monai", "numpy>=1.24", "2.4.6")),
    torch=Torch("2.13.0+cu128", "12.8", None, 91501, True, (H100,), ("sm_80", "sm_90", "compute_120"), False, 16),
    driver="570.86.15",
    driver_gpus=(replace(H100, capability=None),),
    cores=16,
    machine_cores=16,
    memory=128 * GIB,
    available=100 * GIB,
    open_files=(1024, 524288),
    shared=(64 * GIB, 64 * GIB),
    disks=(Disk("runs", "/home/me/runs", 500 * GIB, 10**7, "ext4"), Disk("cache", "/scratch", 500 * GIB, 10**7, "xfs")),
    workers=8,
    item=80 * MIB,
)
"""A machine on which all is well."""


def torch_of(**values: Any) -> Torch:
    assert WORKSTATION.torch is not None
    return replace(WORKSTATION.torch, **values)


def without_gpu(**values: Any) -> dict[str, Any]:
    """A torch that can use no GPU."""
    return {"torch": torch_of(usable=False, gpus=(), **values)}


def disk(number: int = 1, **values: Any) -> dict[str, Any]:
    return {"disks": (replace(WORKSTATION.disks[number], **values),)}


CROWDED = replace(H100, capability=None, free=4 * GIB, uuid="GPU-1f2e3d")
SECOND = {"driver_gpus": (replace(H100, capability=None, uuid="GPU-0a1b2c"), CROWDED)}
"""A second GPU, which others use."""


SICK: list[tuple[str, dict[str, Any], str, str, str, str]] = [
    # what, what differs from the workstation, check, level, found, remedy
    ("old python", {"python": "3.10.12"}, "python", "problem", "Python 3.10.12 is too old", "Python 3.11 or later"),
    ("no torch", {"torch": None, "failed": {"torch": "ImportError: libcudart.so.12"}}, "torch", "problem",
     "torch cannot be imported: ImportError: libcudart.so.12", "fresh environment"),
    ("broken monai", {"failed": {"monai": "AttributeError: numpy has no attribute x"}}, "packages", "problem",
     "cannot be imported: monai: AttributeError", "fresh environment"),
    ("old torch", {"requirements": (Requirement("trainlib", "torch>=2.6", "2.2.0"),)}, "requirements", "problem",
     "trainlib requires torch>=2.6, but 2.2.0 is installed", "pip check"),
    ("new numpy", {"requirements": (Requirement("monai", "numpy<3,>=1.24", "3.0.0"),)}, "requirements", "problem",
     "monai requires numpy<3,>=1.24, but 3.0.0 is installed", "pip check"),
    ("absent package", {"requirements": (Requirement("monai", "nibabel", ""),)}, "requirements", "problem",
     "monai requires nibabel, which is not installed", "pip install"),
    ("stolen credentials", {"packages": {"lightning": "2.6.3"}}, "malware", "problem",
     "lightning 2.6.3 was withdrawn because it steals credentials", "replace every password"),
    ("the same by its other name", {"packages": {"pytorch-lightning": "2.6.2"}}, "malware", "problem",
     "pytorch-lightning 2.6.2", "pip uninstall"),
    ("torch 2.9", {"torch": torch_of(version="2.9.1+cu128", cudnn=91002)}, "convolutions", "warning",
     "3-D convolutions in mixed precision are about 4 times slower", "nvidia-cudnn-cu12>=9.15"),
    ("an old mac", {"torch": Torch("2.7.1", mps=True), "driver_gpus": (), "driver": ""}, "mps", "problem",
     "transposed 3-D convolutions", "torch 2.8 or later"),
    ("tensorboard", {"packages": {"tensorboard": "2.20.0", "setuptools": "82.0.1"}}, "tensorboard", "warning",
     "does not start with setuptools 82.0.1", "tensorboard>=2.21"),
    ("cpu build", without_gpu(version="2.13.0+cpu", cuda=None, architectures=()), "gpu", "warning",
     "There is NVIDIA H100, but torch 2.13.0+cpu was built without CUDA", "pytorch.org"),
    ("cpu build for a config that wants a gpu", without_gpu(cuda=None) | {"accelerator": "gpu"}, "gpu", "problem",
     "built without CUDA", "pytorch.org"),
    ("old driver", without_gpu() | {"driver": "470.57"}, "gpu", "warning", "the driver, 470.57, may be older than CUDA",
     "Update the driver"),
    ("hidden gpu", without_gpu() | {"variables": {"CUDA_VISIBLE_DEVICES": ""}}, "gpu", "warning",
     "CUDA_VISIBLE_DEVICES hides it", "Unset CUDA_VISIBLE_DEVICES"),
    ("no gpu for a config that wants one", without_gpu() | {"driver_gpus": (), "accelerator": "cuda"}, "gpu", "problem",
     "there is no such GPU", "set it to cpu"),
    ("newer gpu", {"torch": torch_of(gpus=(Gpu("NVIDIA B200", 180 * GIB, None, (10, 0)),),
                                     architectures=("sm_80", "sm_90"))}, "gpu kernels", "problem",
     "no kernels for NVIDIA B200 (180.0 GiB, compute capability 10.0)", "set trainer.accelerator to cpu"),
    ("older gpu", {"torch": torch_of(gpus=(Gpu("Tesla P100", 16 * GIB, None, (6, 0)),))}, "gpu kernels", "problem",
     "no kernels for Tesla P100", "Install a torch that was built for it"),
    ("gpu in use", {"driver_gpus": (Gpu("NVIDIA H100", 80 * GIB, 4 * GIB),)}, "gpu memory", "warning",
     "76.0 GiB of 80.0 GiB are in use", "nvidia-smi"),
    ("the gpu in use is chosen", SECOND | {"variables": {"CUDA_VISIBLE_DEVICES": "1"}}, "gpu memory", "warning",
     "NVIDIA H100: 76.0 GiB of 80.0 GiB are in use", "nvidia-smi"),
    ("it is chosen by its name", SECOND | {"variables": {"CUDA_VISIBLE_DEVICES": "GPU-1f,0"}}, "gpu memory", "warning",
     "76.0 GiB of 80.0 GiB are in use", "nvidia-smi"),
    ("left from debugging", {"variables": {"CUDA_LAUNCH_BLOCKING": "1"}}, "variables", "warning",
     "CUDA_LAUNCH_BLOCKING is set", "unset CUDA_LAUNCH_BLOCKING"),
    ("one thread", without_gpu(threads=1) | {"driver_gpus": (), "variables": {"OMP_NUM_THREADS": "1"}}, "cpu",
     "warning", "OMP_NUM_THREADS=1 lets torch compute with one thread", "unset OMP_NUM_THREADS"),
    ("container of two cores", {"cores": 2, "machine_cores": 64, "torch": torch_of(threads=64)}, "cpu", "warning",
     "2 cores of 64 may be used, but torch computes with 64 threads", "export OMP_NUM_THREADS=2"),
    ("little memory", {"available": 3 * GIB}, "memory", "warning", "3.0 GiB of 128.0 GiB", "data.num_workers to 0"),
    ("no memory", {"available": 300 * MIB}, "memory", "problem", "300 MiB of 128.0 GiB are free: too little", "End"),
    ("few open files", {"open_files": (256, 512)}, "open files", "warning", "Only 512 files", "ulimit -n"),
    ("hardly a file", {"open_files": (64, 64)}, "open files", "problem", "Only 64 files", "data.num_workers to 0"),
    ("docker", {"shared": (64 * MIB, 64 * MIB)}, "shared memory", "problem",
     "64 MiB of 64 MiB are free, but 8 workers may need 1.2 GiB", "--shm-size=2g"),
    ("small shared memory", {"shared": (GIB, GIB)}, "shared memory", "warning", "8 workers may need", "--shm-size"),
    ("no git", {"git": False}, "git", "warning", "There is no git", "Install git."),
    ("read-only", disk(writable=False), "cache", "problem", "/scratch cannot be written into", "data.cache_dir"),
    ("full", disk(free=100 * MIB), "cache", "problem", "100 MiB free (xfs): too little", "data.cache_dir"),
    ("nearly full", disk(free=2 * GIB), "cache", "warning", "2.0 GiB free (xfs): little", "Delete something"),
    ("no room for runs", disk(0, free=100 * MIB), "runs", "problem", "100 MiB free (ext4): too little for checkpoints",
     "run.root"),
    ("little room for runs", disk(0, free=GIB), "runs", "warning", "little for checkpoints and predictions",
     "run.root"),
    ("no room for temporary files", disk(what="temporary", free=50 * MIB), "temporary", "warning",
     "50 MiB free (xfs): little for the temporary files", "point TMPDIR to another folder"),
    ("out of inodes", disk(files=3), "cache", "problem", "only 3 files can still be made", "Delete small files"),
    ("far away", disk(kind="nfs4"), "cache", "warning", "read over the network", "data.cache_dir"),
]  # fmt: skip


def findings(**values: Any) -> dict[str, Finding]:
    """Examine the workstation with something changed."""
    return {finding.check: finding for finding in examine(replace(WORKSTATION, **values))}


def test_a_good_machine_has_no_warnings() -> None:
    assert {found.level for found in findings().values()} == {"ok"}
    assert findings()["gpu"].text == "NVIDIA H100 (80.0 GiB, compute capability 9.0), driver 570.86.15"
    assert findings()["open files"].text == "1024 at once, which trainlib raises to 524288"


@pytest.mark.parametrize(("values", "check", "level", "found", "remedy"), [row[1:] for row in SICK],
                         ids=[row[0] for row in SICK])  # fmt: skip
def test_what_is_wrong_is_told_with_its_remedy(
    values: dict[str, Any], check: str, level: str, found: str, remedy: str
) -> None:
    finding = findings(**values)[check]
    sentence, _, what_to_do = finding.text.partition("\n")
    assert finding.level == level
    assert found in sentence
    assert remedy in what_to_do


def test_every_check_that_can_complain_is_in_the_table() -> None:
    silent = {"tested set", "extras"}  # they only tell
    assert {row[2] for row in SICK} - {"cache", "runs", "temporary"} == CHECKS.keys() - silent


@pytest.mark.parametrize(
    "values",
    [
        {"torch": torch_of(version="2.9.1+cu128", cudnn=91501)},  # its cuDNN was updated
        {"torch": torch_of(version="2.10.0+cu128", cudnn=91002)},
        {"packages": {"lightning": "2.6.4", "tensorboard": "2.20.0", "setuptools": "81.0.0"}},
        {"torch": torch_of(gpus=(Gpu("NVIDIA RTX 6000", 96 * GIB, None, (12, 1)),))},  # by PTX
        {"torch": torch_of(gpus=(Gpu("NVIDIA L4", 24 * GIB, None, (8, 9)),))},  # by code for 8.0
        {"torch": Torch("2.8.0", mps=True), "driver_gpus": (), "accelerator": "mps"},
        {"torch": torch_of(threads=1), "variables": {"OMP_NUM_THREADS": "1"}},  # the GPU does the work
        {"shared": None},
        {"open_files": None},
        {"workers": 0, "shared": (MIB, MIB)},
        SECOND | {"variables": {"CUDA_VISIBLE_DEVICES": "0"}},  # the other one is in use
        SECOND | {"variables": {"CUDA_VISIBLE_DEVICES": "GPU-0a1b2c"}},
        SECOND | {"variables": {"CUDA_VISIBLE_DEVICES": "0,GPU-ff,1"}},  # CUDA stops at what it does not know
        disk(what="temporary", free=200 * MIB),
        disk(0, free=5 * GIB),
        {"disks": (Disk("runs", "/nfs/runs", 500 * GIB, 10**7, "nfs4"),)},  # few and large files
    ],
)
def test_what_looks_like_a_problem_and_is_none_is_let_pass(values: dict[str, Any]) -> None:
    assert {found.level for found in findings(**values).values()} == {"ok"}


def test_the_gravest_come_first() -> None:
    found = examine(replace(WORKSTATION, git=False, python="3.9.0"))
    assert [finding.level for finding in found[:3]] == ["problem", "warning", "ok"]


def test_a_check_that_fails_itself_is_a_warning_and_the_others_are_made() -> None:
    found = findings(python="three", git=False)
    assert found["python"].level == "warning"
    assert "This check could not be made: ValueError" in found["python"].text
    assert found["git"].level == "warning"


def test_the_tested_set_and_the_extras_are_told() -> None:
    found = findings(tested={"monai": "1.6.1", "lightning": "2.6.5"}, extras={"tune": ("ray",), "viewer": ()})
    assert found["tested set"].text.startswith("1 of 2 packages have the version of constraints.txt")
    assert "lightning 2.6.6 (tested 2.6.5)" in found["tested set"].text
    assert found["extras"].text == "tune: no (pip install '.[tune]' in a clone of trainlib), viewer: yes"


def test_requirements_that_nobody_tells_are_not_called_met() -> None:
    assert findings(requirements=())["requirements"].text == "not known, for trainlib runs without being installed"


def test_no_remedy_asks_a_package_index_for_trainlib() -> None:
    sick = [findings(**row[1]) for row in SICK]
    texts = [found.text for of_one in sick for found in of_one.values()]
    assert not any("install trainlib" in text or "--upgrade trainlib" in text for text in texts)
    reinstalled = findings(torch=None)["torch"].text
    assert ".venv/bin/pip install -c constraints.txt ." in reinstalled


def test_a_compromised_package_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr("trainlib.commands.doctor.packages.import_module", imported.append)
    failed = import_failures({"lightning": "2.6.2"})
    assert failed == {"lightning": "lightning 2.6.2 must not be imported"}
    assert imported == []


def test_a_package_that_cannot_be_imported_is_told_and_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        if name == "monai":
            raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr("trainlib.commands.doctor.packages.import_module", broken)
    assert import_failures({}) == {"monai": "RuntimeError: operator torchvision::nms does not exist"}


def test_the_answer_of_the_driver_is_read() -> None:
    text = "570.86.15, NVIDIA H100 80GB HBM3, 81559, 80994, GPU-1a2b\n570.86.15, NVIDIA GB10, [N/A], [N/A], GPU-3c4d\n"
    assert parse_driver(text) == (
        "570.86.15",
        (
            Gpu("NVIDIA H100 80GB HBM3", 81559 * MIB, 80994 * MIB, None, "GPU-1a2b"),
            Gpu("NVIDIA GB10", 0, None, None, "GPU-3c4d"),
        ),
    )
    assert parse_driver("No devices were found\n") == ("", ())


def test_requirements_are_those_of_trainlib_and_of_what_it_requires() -> None:
    found = {(required.by, required.text.split(">")[0]): required for required in requirements(installed_versions())}
    assert found["trainlib", "pandas"].installed
    assert any(by == "monai" for by, _ in found)
    assert not any("pytest" in required.text for required in found.values())  # of an extra


def test_this_machine_is_described_as_it_is(write_config: Callable[..., Path], tmp_path: Path) -> None:
    config = load_config(write_config(data={"num_workers": 3}, trainer={"accelerator": "cpu"}))
    facts = gather(config)
    assert facts.torch is not None
    assert facts.torch.version == torch.__version__
    assert facts.packages["monai"]
    assert facts.memory <= psutil.virtual_memory().total
    assert 1 <= facts.cores <= facts.machine_cores
    assert (facts.cores, facts.memory) == (usable_cores(), total_memory())
    assert 0 < facts.available <= facts.memory
    assert (facts.workers, facts.accelerator) == (3, "cpu")
    assert [(disk.what, disk.path) for disk in facts.disks[:2]] == [
        ("runs", str(tmp_path / "runs")),
        ("cache", str(tmp_path / "runs/.cache")),
    ]
    assert not (tmp_path / "runs").exists()


def test_the_command_prints_a_table_and_ends_with_1_over_a_problem(tmp_path: Path) -> None:
    program = """
import sys
level = sys.argv.pop(1)
from trainlib.commands.doctor import examine
from trainlib.debug.finding import Finding
examine.CHECKS.clear()
examine.CHECKS["git"] = lambda facts: Finding("git", level, "no git\\nInstall git.")
examine.check_disks = lambda facts: []
import trainlib.commands.doctor.gather as gather
gather.gather = lambda config: None
from trainlib.cli import main
main()
"""
    for level, status in (("problem", 1), ("warning", 0), ("ok", 0)):
        command = [sys.executable, "-c", program, level, "doctor"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
        assert done.returncode == status, done.stderr
        assert [line.split() for line in done.stdout.splitlines()[:2]] == [
            [level, "git", "no", "git"],
            ["Install", "git."],
        ]


def test_the_command_says_what_is_wrong_with_a_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {train_cvs: a.csv}\n")
    command = [sys.executable, "-m", "trainlib", "doctor", "-c", "config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean data.train_csv?" in done.stderr
