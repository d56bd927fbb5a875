"""What the device that trains does of the augmentation gives what the workers would have made, bit for bit on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose

from tests.data.helpers import CROP, LOAD, make_cases, make_config, ready
from trainlib import Config, fit, load_config
from trainlib.build.pipelines import build_pipeline
from trainlib.checkpoints.checkpoint import read_checkpoint
from trainlib.data.augmenting import PENDING, first_on_device
from trainlib.data.dataset import CaseFailure
from trainlib.errors import DataError
from trainlib.memory import explain_memory

POS_NEG: list[Any] = [{"RandCropByPosNegLabeld": {"spatial_size": [8, 8, 8], "num_samples": 3}}]
SUITABLE: list[Any] = [
    {"RandFlipd": {"spatial_axis": 0, "prob": 0.5}},
    {"RandAxisFlipd": {"prob": 0.5}},
    {"Flipd": {"spatial_axis": 1}},
    {"RandAffined": {"rotate_range": [0.3] * 3, "scale_range": [0.1] * 3, "prob": 0.8, "padding_mode": "border"}},
    {"RandRotated": {"range_x": 0.3, "prob": 0.7}},
    {"RandZoomd": {"prob": 0.7, "min_zoom": 0.8, "max_zoom": 1.2}},
    {"RandGaussianSmoothd": {"prob": 0.7}},
    {"RandGaussianSharpend": {"prob": 0.5}},
    {"RandScaleIntensityd": {"factors": 0.1, "prob": 0.8}},
    {"RandShiftIntensityd": {"offsets": 0.1, "prob": 0.8}},
    {"RandGaussianNoised": {"prob": 0.8}},
    {"RandAdjustContrastd": {"prob": 0.8}},
    {"AdjustContrastd": {"gamma": 1.1}},
    {"ScaleIntensityRanged": {"a_min": 0, "a_max": 1, "b_min": 0, "b_max": 2}},
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_cases(tmp_path_factory.mktemp("cases"), 5)
    return make_cases(folder, 1, "valid.csv", first=5)


def loaded(config: Config, where: str, epoch: int = 1) -> Iterator[dict[str, Any]]:
    """Yield the batches of an epoch as the training step gets them; those of the workers first as they come."""
    transforms = config.transforms.model_copy(update={"augment_on": where})
    module = ready(config.model_copy(update={"transforms": transforms}))
    module.trainer = SimpleNamespace()  # type: ignore[assignment]
    loader = module.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
    for batch in loader:
        assert not isinstance(batch, CaseFailure), batch.sentence
        assert (PENDING in batch) == (where == "device")
        yield module.on_after_batch_transfer(batch, 0)


def compare(config: Config, epoch: int = 1) -> list[dict[str, Any]]:
    """Compare all batches of both ways, and return them."""
    plain, other = [*loaded(config, "workers", epoch)], [*loaded(config, "device", epoch)]
    assert len(plain) == len(other) > 0
    for one, two in zip(plain, other, strict=True):
        assert one.keys() == two.keys()
        for key, value in one.items():
            if isinstance(value, torch.Tensor):
                assert (two[key].dtype, two[key].stride()) == (value.dtype, value.stride())
                assert type(two[key]) is torch.Tensor
                torch.testing.assert_close(two[key], value, rtol=0, atol=0)
            else:
                assert two[key] == value
    return plain


@pytest.mark.parametrize("workers", [0, 1])
def test_all_that_is_suitable_gives_the_same_bits(root: Path, workers: int) -> None:
    config = make_config(root, {"batch_size": 2, "num_workers": workers}, transforms={"train": [*CROP, *SUITABLE]})
    pipeline = build_pipeline(config, "train")
    assert first_on_device(pipeline) == len(CROP)
    batches = compare(config)
    assert batches[0]["image"].shape == (2, 1, 8, 8, 8)
    assert batches[0]["image"].std() > 0


@pytest.mark.parametrize("step", SUITABLE, ids=lambda step: next(iter(step)))
def test_each_of_them_gives_the_same_bits_alone_and_for_several_windows(root: Path, step: dict[str, Any]) -> None:
    config = make_config(root, {"batch_size": 2}, transforms={"train": [*POS_NEG, step]})
    batches = compare(config)
    assert len(batches[0]["image"]) == 6
    assert batches[0]["label"].dtype == torch.uint8


def test_windows_may_come_from_the_workers_in_types_that_differ(root: Path) -> None:
    bent = {"RandGridDistortiond": {"prob": 0.5, "mode": ["bilinear", "nearest"]}}  # makes a float of a label it bends
    data = {"batch_size": 5, "num_workers": 1}
    for epoch in range(3):
        compare(make_config(root, data, transforms={"train": [*CROP, bent, SUITABLE[0]]}), epoch)


def test_of_a_case_that_comes_twice_in_a_batch_each_has_its_own_numbers(tmp_path: Path) -> None:
    make_cases(tmp_path, 2)
    make_cases(tmp_path, 1, "valid.csv", first=2)
    targets = "image,label\ni0.nii.gz,a\ni1.nii.gz,b\n"
    (tmp_path / "train.csv").write_text(targets)
    (tmp_path / "valid.csv").write_text("image,label\ni2.nii.gz,a\n")
    data = {"batch_size": 2, "classes": ["a", "b"], "balance": True}
    noise = {"train": [{"RandGaussianNoised": {"prob": 1.0}}], "base": LOAD}
    config = make_config(tmp_path, data, transforms=noise, task="classification")
    twice = 0
    for epoch in range(8):
        for batch in compare(config, epoch):
            assert "target" in batch
            assert not torch.equal(*batch["image"])
            twice += len(set(batch["case"])) == 1
    assert twice > 0


def test_pictures_work_too(tmp_path: Path) -> None:
    from trainlib.data.phantom import make_dataset

    root = make_dataset(tmp_path / "data", spatial_dims=2, cases=(4, 1, 1), shape=(24, 20), file_format="png")
    train = [
        {"RandSpatialCropd": {"roi_size": [16, 16]}},
        {"RandFlipd": {"spatial_axis": 0, "prob": 0.5}},
        {"RandAffined": {"rotate_range": 0.3, "prob": 0.8}},
        {"RandScaleIntensityd": {"factors": 0.2}},
    ]
    data = {"batch_size": 3, "spatial_dims": 2}
    config = make_config(root, data, transforms={"train": train})
    assert compare(config)[0]["image"].shape[2:] == (16, 16)


@pytest.mark.parametrize(
    ("steps", "first"),
    [
        ([], 0),
        (["RandFlipd"], 0),
        ([*CROP, "RandFlipd"], 2),
        ([*CROP, "RandFlipd", "NormalizeIntensityd", "RandGaussianNoised"], 4),
        ([*CROP, "RandFlipd", {"RandAffined": {"spatial_size": [8, 8, 8]}}], 4),
        ([*CROP, {"RandAffined": {"mode": 3}}], 3),
        ([*CROP, {"RandRotated": {"range_x": 0.1, "keep_size": False}}], 3),
        ([*CROP, {"RandZoomd": {"keep_size": False}}], 3),
        ([*CROP, {"RandAdjustContrastd": {"retain_stats": True}}], 3),
        ([*CROP, {"RandFlipd": {"lazy": True}}], 3),
        ([*CROP, "RandRotate90d", "RandFlipd"], 3),
    ],
)  # fmt: skip
def test_only_what_is_known_to_keep_shape_and_place_is_done_there(root: Path, steps: list[Any], first: int) -> None:
    assert first_on_device(build_pipeline(make_config(root, transforms={"train": steps}), "train")) == first


PATCH = """
from monai.transforms import RandFlipd
class Mine(RandFlipd):
    pass
"""


def test_what_is_of_a_script_stays_with_the_workers(root: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PATCH)
    steps = [*CROP, {"Mine": {"keys": ["image", "label"]}}]
    config = make_config(root, transforms={"train": steps}, patch={"transforms": str(tmp_path / "own.py")})
    assert first_on_device(build_pipeline(config, "train")) == 3


@pytest.mark.parametrize("step", SUITABLE, ids=lambda step: next(iter(step)))
def test_no_window_leaves_its_device(root: Path, step: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor of a window's size is neither made an array nor sent to the CPU; on a GPU that would take its time."""
    name, kwargs = next(iter(step.items()))
    certain = kwargs if name in ("Flipd", "AdjustContrastd", "ScaleIntensityRanged") else kwargs | {"prob": 1.0}
    pipeline: Compose = build_pipeline(make_config(root, transforms={"train": [{name: certain}]}), "train")
    window = {"image": torch.rand(1, 16, 16, 16) + 0.1, "label": torch.ones(1, 16, 16, 16, dtype=torch.uint8)}
    left: list[str] = []

    def watched(method: str) -> Any:
        original = getattr(torch.Tensor, method)

        def call(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            # A device that is no text is that of another tensor, which here is the CPU too.
            leaves = method != "to" or "cpu" in [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
            if leaves and tensor.numel() >= 16**3:
                left.append(method)
            return original(tensor, *args, **kwargs)

        return call

    for method in ("numpy", "cpu", "to", "tolist", "__array__"):
        monkeypatch.setattr(torch.Tensor, method, watched(method))
    pipeline.set_random_state(0)
    result = pipeline(window)
    assert isinstance(result["image"], torch.Tensor)
    assert result["image"].shape == window["image"].shape
    assert left == []


def test_what_fails_there_names_case_and_transform(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(root, transforms={"train": [*CROP, "RandFlipd", {"AdjustContrastd": {"gamma": 1.0}}]})

    def fail(*_: Any) -> None:
        raise RuntimeError("no kernel image")

    monkeypatch.setattr("monai.transforms.AdjustContrast.__call__", fail)
    with pytest.raises(
        DataError, match=r"train\.csv:\d \(i\d\.nii\.gz\): transforms\.train\[3\]\.AdjustContrastd failed on image"
    ):
        [*loaded(config, "device", epoch=0)]


def test_a_gpu_without_memory_is_no_fault_of_a_case(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(root, transforms={"train": [*CROP, {"AdjustContrastd": {"gamma": 1.0}}]})

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("monai.transforms.AdjustContrast.__call__", fail)
    with pytest.raises(RuntimeError) as caught:
        [*loaded(config, "device", epoch=0)]
    assert "make the window smaller" in str(explain_memory(caught.value, config))


def flags() -> dict[str, Any]:
    """The settings of cuDNN, with those of each operation where torch has them."""
    cudnn = torch.backends.cudnn
    names = ("enabled", "benchmark", "deterministic", "allow_tf32")
    found = {name: getattr(cudnn, name) for name in names}
    return found | ({"conv": cudnn.conv.fp32_precision} if hasattr(cudnn, "conv") else {})


def test_convolutions_there_have_all_digits_and_those_of_the_network_what_they_had(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    cudnn = torch.backends.cudnn

    def watch(smooth: Any, image: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        rounds = cudnn.conv.fp32_precision == "tf32" if hasattr(cudnn, "conv") else cudnn.allow_tf32
        seen.append((rounds, cudnn.enabled))
        return image

    monkeypatch.setattr("monai.transforms.RandGaussianSmooth.__call__", watch)
    before = flags()
    assert before["allow_tf32"]
    [*loaded(make_config(root, transforms={"train": [*CROP, {"RandGaussianSmoothd": {"prob": 1.0}}]}), "device")]
    assert set(seen) == {(False, True)}
    assert flags() == before


def test_what_is_done_where_is_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "trainlib")
    [*loaded(make_config(root, transforms={"train": [*CROP, "RandFlipd", "RandGaussianNoised"]}), "device")]
    config = make_config(root, transforms={"train": ["RandFlipd", *CROP]})
    assert config.transforms.augment_on == "workers"
    module = ready(
        config.model_copy(update={"transforms": config.transforms.model_copy(update={"augment_on": "device"})})
    )
    module.trainer = SimpleNamespace()  # type: ignore[assignment]
    assert PENDING not in next(iter(module.train_dataloader()))
    assert [text for text in caplog.messages if "augment_on" in text] == [
        "transforms.augment_on: the device that trains does RandFlipd, RandGaussianNoised.",
        "transforms.augment_on: workers do all of transforms.train, for RandSpatialCropd, the last of them, works only "
        "there.",
    ]


def test_without_a_trainer_batches_are_finished(root: Path) -> None:
    config = make_config(root, transforms={"train": [*CROP, "RandFlipd"], "augment_on": "device"})
    assert PENDING not in next(iter(ready(config).train_dataloader()))


def test_random_states_of_the_training_stay_as_they_were(root: Path) -> None:
    config = make_config(root, transforms={"train": [*CROP, *SUITABLE]})
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    [*loaded(config, "device")]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]


def test_a_training_ends_with_the_same_bits(write_config: Any) -> None:
    weights = []
    for where in ("workers", "device"):
        run = fit(load_config(write_config(f"{where}.yaml", run={"name": where}, transforms={"augment_on": where})))
        weights.append(read_checkpoint(run.folder.last)["state_dict"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
