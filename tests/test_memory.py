"""A lack of memory is told with the settings that help and their present values."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from trainlib import fit, load_config
from trainlib.config.schema import Config
from trainlib.errors import InputError, ResourceError
from trainlib.memory import explain_memory, lacking
from trainlib.trainer import explained

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]

CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 10.75 GiB of which 1.1 GiB is free."
)
CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "40000000000000 bytes. Error code 12 (Cannot allocate memory)"
)
ON_GPU = [
    torch.OutOfMemoryError(CUDA),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB, max allowed: 9.07 GB)."),
]
ON_CPU = [
    RuntimeError(CPU),
    MemoryError(),
    MemoryError("Unable to allocate 7.28 TiB for an array"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),  # of a process that could not be started
]


def config(data: dict[str, Any] | None = None, **sections: Any) -> Config:
    required = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "heart"]}
    return Config.model_validate({"data": required | (data or {}), **sections})


@pytest.mark.parametrize("error", ON_GPU, ids=lambda error: str(error)[:20])
def test_a_gpu_without_memory_names_the_settings_and_their_present_values(error: Exception) -> None:
    crops = {"RandCropByPosNegLabeld": {"spatial_size": [96, 96, 64], "num_samples": 4}}
    text = explain_memory(error, config({"batch_size": 4}, transforms={"train": [crops]}))
    first = str(error).split("\n")[0]
    assert text == (
        "The GPU ran out of memory. Lower data.batch_size (now 4), make the window smaller, "
        "transforms.train[0].RandCropByPosNegLabeld.spatial_size (now 96 x 96 x 64), lower "
        "transforms.train[0].RandCropByPosNegLabeld.num_samples (now 4), set trainer.precision to 16-mixed (now "
        "32-true), for whole images lower inferer.SlidingWindowInferer.sw_batch_size (now 4), or make the network, "
        f"model.UNet, smaller. (The system said: {first})"
    )


@pytest.mark.parametrize("error", ON_CPU, ids=["torch", "Python", "NumPy", "fork"])
def test_a_machine_without_memory_names_other_settings(error: Exception) -> None:
    text = explain_memory(
        error, config({"batch_size": 1, "num_workers": 6, "cache": "memory"}, inferer="SimpleInferer")
    )
    assert text is not None
    assert text.startswith("The machine ran out of memory. Make the window smaller, transforms.train[1].")
    assert "(now 64 x 64 x 64), lower data.num_workers (now 6), set data.cache to disk, which keeps no case" in text
    assert text.endswith(f"(The system said: {str(error) or 'MemoryError'})")
    assert "batch_size" not in text
    assert "precision" not in text


def test_settings_that_are_as_low_as_can_be_are_not_named() -> None:
    sections = {"trainer": {"precision": "16-mixed"}, "inferer": {"SlidingWindowInferer": {"sw_batch_size": 1}}}
    pipelines = {"base": ["LoadImaged"], "train": []}
    text = explain_memory(ON_GPU[0], config({"batch_size": 1}, transforms=pipelines, **sections))
    device = "inferer.SlidingWindowInferer.device"
    assert text == (
        f"The GPU ran out of memory. For whole images set {device} to cpu, or make the network, model.UNet, smaller. "
        f"(The system said: {CUDA})"
    )


def test_without_a_config_the_settings_are_named_all_the_same() -> None:
    text = explain_memory(ON_GPU[0])
    remedies = "Lower data.batch_size, make the window (roi_size) smaller, or set trainer.precision to 16-mixed."
    assert text == f"The GPU ran out of memory. {remedies} (The system said: {CUDA})"


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes differ"), ValueError(""), OSError(28)])
def test_other_errors_are_not_about_memory(error: Exception) -> None:
    assert lacking(error) is None
    assert explain_memory(error) is None
    with pytest.raises(type(error)), explained(config()):
        raise error


def test_what_comes_from_a_worker_is_told_without_its_traceback() -> None:
    error = MemoryError(
        "Caught MemoryError in DataLoader worker process 0.\nOriginal Traceback ...\nMemoryError: no room"
    )
    text = explain_memory(error)
    assert text is not None
    assert text.endswith("(The system said: MemoryError: no room)")


@pytest.mark.parametrize("error", [*ON_GPU, *ON_CPU], ids=lambda error: str(error)[:20])
def test_every_lack_of_memory_ends_as_a_sentence(error: Exception) -> None:
    with pytest.raises(ResourceError, match="ran out of memory") as caught, explained(config({"batch_size": 7})):
        raise error
    assert "data.batch_size (now 7)" in str(caught.value)
    assert caught.value.exit_status == 1
    assert not isinstance(caught.value, InputError)


NETWORK = """
import torch
from monai.networks.nets import UNet
class Hungry(UNet):
    def forward(self, image):
        if self.training == {training}:
            if {gpu}:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            torch.zeros(10**6, 10**6, 100)
        return super().forward(image)
def get_model(config):
    return Hungry(3, 1, 3, [4, 8], [2])
"""


@pytest.mark.parametrize(("training", "gpu"), [(True, False), (True, True), (False, True)])
def test_a_step_without_memory_names_its_cases(
    write_config: WriteConfig, tmp_path: Path, training: bool, gpu: bool
) -> None:
    script = tmp_path / f"network_{training}_{gpu}.py"
    script.write_text(NETWORK.format(training=training, gpu=gpu))
    with pytest.raises(ResourceError) as caught:
        fit(load_config(write_config(patch={"model": str(script)}, data={"batch_size": 6})))
    told = str(caught.value)
    assert told.startswith(f"The {'GPU' if gpu else 'machine'} ran out of memory. ")
    if training:
        assert "It happened with train.csv:" in told
        assert all(f"train.csv:{row} (case_{row - 2:03}.nii.gz)" in told for row in range(2, 8))
    assert ("20.00 MiB" in told) == gpu


DIE = """
import multiprocessing, os, signal
from monai.transforms import MapTransform
class Died(MapTransform):
    def __call__(self, data):
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return data
"""


def test_a_worker_that_the_system_kills_ends_the_run_with_a_sentence(
    write_config: WriteConfig, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "die.py").write_text(DIE)
    crop = {"ResizeWithPadOrCropd": {"spatial_size": [16, 16, 8]}}
    path = write_config(
        patch={"transforms": str(tmp_path / "die.py")},
        transforms={"train": [crop, {"Died": {"keys": ["image"]}}]},
        data={"num_workers": 1, "cache": "memory"},
    )
    done = cli("fit", "-c", path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "A process that prepares cases was ended by the system, most likely because memory ran out." in done.stderr
    assert "data.num_workers" in done.stderr
    assert "data.batch_size" in done.stderr
    assert "set data.cache to disk" in done.stderr
