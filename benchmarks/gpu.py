"""What the settings for speed do on a GPU: precision, layout, compiling, and who augments; each against going without.

Without a GPU one row says so. `measure("cpu", ...)` does the same on a CPU, to try the measurement itself.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning import Callback

from benchmarks.harness import Row, write_section
from benchmarks.step import HIPPOCAMPUS, ROOT, WARM, Clock, Fixed, first_batches
from benchmarks.training import train
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.data.module import CSVDataModule
from trainlib.data.phantom import make_dataset
from trainlib.folders.run import RunFolder

BRAIN = ROOT.parent / "shared" / "data" / "brain"
_MOST_WAITING = "share < 5 %"
_CLASSES = 8  # of the volume, the background included


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: How often each of two settings has its turn.
        steps: Steps of a turn.
        window: Voxels of a window of the volume along each axis.
        windows: Windows in a batch.
        channels: Channels of the network.
        compiled: Whether torch compiles too.
    """

    rounds: int = 3
    steps: int = 60
    window: int = 96
    windows: int = 4
    channels: tuple[int, ...] = (32, 64, 128, 256)
    compiled: bool = True


TINY = Sizes(rounds=1, steps=8, window=16, windows=2, channels=(4, 8), compiled=False)
"""For a try on a CPU."""


class Waiting(Callback):
    """Measures how long the training waits for the next batch, its way to the device included.

    A step ends when its loss is known, for `fit` looks at each, so that next to nothing is left for the device to do.
    """

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.steps: list[float] = []
        self._moment = 0.0

    def _passed(self) -> float:
        before, self._moment = self._moment, now()
        return self._moment - before

    def on_train_epoch_start(self, *_: object) -> None:
        """Begin to wait for the first batch."""
        self._passed()

    def on_train_batch_start(self, *_: object) -> None:
        """Note how long it took to come here from the end of the last step."""
        self.waited.append(self._passed())

    def on_train_batch_end(self, *_: object) -> None:
        """Note how long the step took."""
        self.steps.append(self._passed())

    @property
    def share(self) -> float:
        """Percentage of the time in which the device waited, the first steps left out."""
        waited, steps = sum(self.waited[WARM:]), sum(self.steps[WARM:])
        return 100 * waited / (waited + steps)


def now() -> float:
    """Return the time in s, when the GPU has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def step_time(config: Config, steps: int, folder: Path) -> float:
    """Return the median seconds of a step whose data cost nothing."""
    few, clock = first_batches(config, 4), Clock(now)
    train(config, Fixed(config, [few[i % len(few)] for i in range(steps)]), RunFolder(folder), clock)
    shutil.rmtree(folder)
    return median(clock.steps)


def waiting(config: Config, folder: Path) -> float:
    """Return the percentage of a training in which the device waits for data."""
    clock = Waiting()
    train(config, CSVDataModule(config), RunFolder(folder), clock)
    shutil.rmtree(folder)
    return clock.share


def volumes(root: Path, cases: int, size: int) -> Path:
    """Write CSVs that name a large volume as often as there are cases; a generated one without real data."""
    if BRAIN.is_dir():
        image, label = BRAIN / "brain256_image.nii.gz", BRAIN / "brain256_label7.nii.gz"
    else:
        made = make_dataset(root / "made", cases=(1, 1, 1), shape=(3 * size,) * 3)
        image, label = (next((made / name).rglob("*.nii*")) for name in ("images", "labels"))
    folder = root / "volumes"
    folder.mkdir()
    for csv, count in (("train.csv", cases), ("valid.csv", 1), ("test.csv", 1)):
        rows = []
        for number in range(count):  # names of their own, or the rows would be taken for one case by mistake
            names = [f"{kind}_{csv[:-4]}_{number}.nii.gz" for kind in ("image", "label")]
            for name, file in zip(names, (image, label), strict=True):
                (folder / name).symlink_to(file)
            rows.append(",".join(names))
        (folder / csv).write_text("\n".join(["image,label", *rows]) + "\n")
    return folder


def settings(device: str, sizes: Sizes, root: Path) -> dict[str, list[str]]:
    """Write the overrides of each data set that is measured."""
    common = [f"run.root={root}/runs", f"data.cache_dir={root}/cache", "scheduler=null", "emissions=null"]
    common += ["trainer.enable_progress_bar=false", "trainer.check_val_every_n_epoch=1000"]
    common += [f"trainer.accelerator={device}"]
    common += [f"model.UNet.channels={[*sizes.channels]}", f"model.UNet.strides={[2] * (len(sizes.channels) - 1)}"]
    side = [sizes.window] * 3
    augmentation: list[Any] = [
        {"RandSpatialCropd": {"roi_size": side}},
        {"RandFlipd": {"spatial_axis": 0}},
        {"RandAffined": {"rotate_range": [0.26] * 3, "prob": 0.5}},
        {"RandScaleIntensityd": {"factors": 0.1}},
    ]
    large = [f"data.root={volumes(root, sizes.windows * 8, sizes.window)}", f"data.batch_size={sizes.windows}"]
    large += [f"data.classes={[f'c{value}' for value in range(_CLASSES)]}"]
    large += [f"transforms.train={json.dumps(augmentation)}", f"inferer.SlidingWindowInferer.roi_size={side}"]
    found = {f"{sizes.window}³ of a volume": [*common, *large]}
    return {"hippocampus": [*common, f"data.root={HIPPOCAMPUS}"], **found} if HIPPOCAMPUS.is_dir() else found


def measure(device: str, sizes: Sizes, root: Path) -> list[Row]:
    """Measure each setting against going without, in turn.

    Args:
        device: ``cuda``, or ``cpu`` for a try.
        sizes: How much is measured.
        root: Empty folder.
    """
    plain = "trainer.precision=32-true"
    pairs = [
        ("bf16-mixed", [plain], ["trainer.precision=bf16-mixed"]),
        ("channels_last", [plain], [plain, "model.channels_last=true"]),
        ("bf16-mixed and channels_last", [plain], ["trainer.precision=bf16-mixed", "model.channels_last=true"]),
        *([("compile", [plain], [plain, "model.compile=true"])] if sizes.compiled else []),
    ]
    rows = []
    for data, own in settings(device, sizes, root).items():
        for name, without, with_it in pairs:
            rows.append(_steps(f"step, {data}: {name}", own, without, with_it, sizes, root))
        rows.append(_shares(f"share of waiting, {data}: augment_on device", own, sizes, root))
    return rows


def _config(overrides: Sequence[str]) -> Config:
    return load_config([ROOT / "configs" / "segmentation_3d.yaml"], [*overrides])


def _steps(what: str, own: list[str], without: list[str], with_it: list[str], sizes: Sizes, root: Path) -> Row:
    ours, theirs = [], []
    one = [*own, "trainer.max_epochs=1", "data.num_workers=0"]
    for _ in range(sizes.rounds):
        ours.append(step_time(_config([*one, *with_it]), sizes.steps, root / "run"))
        theirs.append(step_time(_config([*one, *without]), sizes.steps, root / "run"))
    return Row(what, "without", 1000 * median(ours), 1000 * median(theirs), "ms")


def _shares(what: str, own: list[str], sizes: Sizes, root: Path) -> Row:
    found: dict[str, list[float]] = {"device": [], "workers": []}
    for _ in range(sizes.rounds):
        for where, shares in found.items():
            config = _config([*own, "trainer.max_epochs=3", f"transforms.augment_on={where}"])
            shares.append(waiting(config, root / "run"))
    ours, theirs = (median(shares) for shares in found.values())
    return Row(what, "workers", ours, theirs, "%", _MOST_WAITING)


def run() -> None:
    """Measure on the GPU, where there is one."""
    rows: list[Row] = [Row("a step with the settings for speed", "without", None, None, "ms", why="no GPU is at hand")]
    said: Any = ""
    if torch.cuda.is_available():
        with tempfile.TemporaryDirectory() as scratch:
            rows = measure("cuda", Sizes(), Path(scratch))
        said = f"On one {torch.cuda.get_device_name()}, torch {torch.__version__}."
    write_section("GPU", rows, said)


if __name__ == "__main__":
    run()
