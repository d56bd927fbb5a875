"""The time of a training step: `fit` with everything on, against a bare loop of PyTorch over the same tensors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from benchmarks.harness import Row, write_section
from benchmarks.training import train
from trainlib.build.components import build_loss, build_model, build_optimizer
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.data.module import CSVDataModule
from trainlib.data.phantom import CLASSES, make_dataset
from trainlib.folders.run import RunFolder
from trainlib.seeding import seed_all

ROOT = Path(__file__).resolve().parents[1]
HIPPOCAMPUS = ROOT.parent / "shared" / "data" / "hippocampus"
ROUNDS, WARM = 8, 5
WINDOW = [48, 32, 24]  # of the tiny network, whose step takes about 5 ms


class Clock(Callback):
    """Measures from the start of a step to the start of the next.

    Args:
        now: The clock in s, that of the processor by default.
    """

    def __init__(self, now: Callable[[], float] = time.process_time) -> None:
        self.starts: list[float] = []
        self.now = now

    def on_train_batch_start(self, *_: object) -> None:
        """Note the time."""
        self.starts.append(self.now())

    @property
    def steps(self) -> list[float]:
        """Seconds of each step but the first ones, in which all is done for the first time."""
        return [end - start for start, end in pairwise(self.starts)][WARM:]


class Fixed(CSVDataModule):
    """Gives the same batches again and again, so that the data cost nothing."""

    def __init__(self, config: Config, batches: list[Any]) -> None:
        super().__init__(config)
        self.batches = batches

    def train_dataloader(self) -> Any:
        """Return the batches."""
        return DataLoader(self.batches, batch_size=None)  # type: ignore[arg-type]


def first_batches(config: Config, count: int) -> list[Any]:
    """Take the first training batches."""
    module = CSVDataModule(config)
    module.setup("fit")
    return [batch for batch, _ in zip(module.train_dataloader(), range(count), strict=False)]


def with_trainlib(config: Config, batches: list[Any], folder: RunFolder) -> list[float]:
    """Train with everything that `fit` switches on, and return the seconds of each step."""
    clock = Clock()
    train(config, Fixed(config, batches), folder, clock)
    return clock.steps


def bare(config: Config, batches: list[Any]) -> list[float]:
    """Train with a loop that does what a step needs and nothing else."""
    seed_all(config.seed)
    network, loss = build_model(config).train(), build_loss(config)
    optimizer = build_optimizer(config, network.parameters())
    clock = Clock()
    for batch in batches:
        clock.on_train_batch_start()
        optimizer.zero_grad()
        loss(network(batch["image"]), batch["label"].long()).backward()
        optimizer.step()
    return clock.steps


class Plain(LightningModule):
    """The least that Lightning needs to train the network of a config."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network, self.loss = build_model(config), build_loss(config)

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss: torch.Tensor = self.loss(self.network(batch["image"]), batch["label"].long())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return build_optimizer(self.config, self.network.parameters())


def with_lightning(config: Config, batches: list[Any]) -> list[float]:
    """Train with Lightning and nothing else."""
    seed_all(config.seed)
    clock = Clock()
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(max_epochs=1, accelerator="cpu", callbacks=[clock], **off)
    trainer.fit(Plain(config), DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return clock.steps


def compare(what: str, config: Config, scratch: Path, steps: int, aim: str) -> list[Row]:
    """Measure the three in turn."""
    few = first_batches(config, 8)
    batches = [few[i % len(few)] for i in range(steps)]
    taken: dict[str, list[float]] = {"trainlib": [], "a bare loop of PyTorch": [], "Lightning's loop alone": []}
    ours, *peers = taken
    for turn in range(ROUNDS):
        folder = RunFolder(scratch / f"run_{turn}" / what.split(maxsplit=1)[0])
        taken[ours] += with_trainlib(config, batches, folder)
        taken[peers[0]] += bare(config, batches)
        taken[peers[1]] += with_lightning(config, batches)
    found = {name: 1000 * median(seconds) for name, seconds in taken.items()}
    return [Row(what, peer, found[ours], found[peer], "ms", aim if peer == peers[0] else "") for peer in peers]


def run() -> None:
    """Measure the configs."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        phantom = make_dataset(root / "data", cases=(8, 2, 2), shape=(24, 24, 14))
        own = [f"run.root={root}/runs", f"data.cache_dir={root}/cache", "trainer.max_epochs=1", "scheduler=null"]
        own += ["trainer.enable_progress_bar=false", "trainer.limit_val_batches=1", "data.num_workers=0"]
        config = ROOT / "configs" / "segmentation_3d.yaml"
        tiny = [f"data.root={phantom}", f"data.classes=[{','.join(CLASSES)}]", "model.UNet.channels=[4,8]"]
        tiny += ["model.UNet.strides=[2]", "model.UNet.num_res_units=0", "data.batch_size=1"]
        tiny += [f"inferer.SlidingWindowInferer.roi_size={WINDOW}"]
        crop = f"[{{SpatialPadd: {{spatial_size: {WINDOW}}}}}, {{RandSpatialCropd: {{roi_size: {WINDOW}}}}}]"
        tiny += [f"transforms.train={crop}"]
        if HIPPOCAMPUS.is_dir():
            hippocampus = load_config([config], [f"data.root={HIPPOCAMPUS}", *own])
            rows += compare("hippocampus, configs/segmentation_3d.yaml", hippocampus, root, 30, "<= 1.03")
        rows += compare("tiny network", load_config([config], [*tiny, *own]), root, 200, "<= 1.10")
    write_section("Step", rows, "Processor time, in one thread.")


if __name__ == "__main__":
    run()
