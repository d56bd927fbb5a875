"""What validation takes of an epoch beside the network's inference, without and with surface distances."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer

from benchmarks.harness import Row, write_section
from benchmarks.step import HIPPOCAMPUS, ROOT
from benchmarks.training import train
from trainlib.config.load import load_config
from trainlib.data.module import CSVDataModule
from trainlib.data.phantom import CLASSES, make_dataset
from trainlib.folders.run import RunFolder

EPOCHS = 5


class Clock(Callback):
    """Measures epochs, their validation and the inference in it, in seconds of the processor."""

    def __init__(self) -> None:
        self.epochs = self.validation = self.inference = 0.0

    def timed(self, what: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Let a function add to a sum how long it takes."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            result = act(*args, **kwargs)
            setattr(self, what, getattr(self, what) + time.process_time() - start)
            return result

        return measured

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start, and watch what follows; the trial before the first epoch does not count."""
        loop: Any = trainer.fit_loop.epoch_loop.val_loop
        loop.run = self.timed("validation", loop.run)
        logits_of = pl_module.logits_of
        inference = self.timed("inference", logits_of)
        pl_module.logits_of = lambda batch, stage, network: (inference if stage == "valid" else logits_of)(
            batch, stage, network
        )
        self.epochs = -time.process_time()

    def on_train_end(self, *_: object) -> None:
        """Note the end of the last epoch."""
        self.epochs += time.process_time()


def run() -> None:
    """Measure on real data where there are any, else on generated ones."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        what, data = "hippocampus, configs/segmentation_3d.yaml", [f"data.root={HIPPOCAMPUS}"]
        if not HIPPOCAMPUS.is_dir():
            root = make_dataset(scratch / "data", cases=(40, 8, 2), shape=(32, 40, 32))
            what, data = "generated data", [f"data.root={root}", f"data.classes=[{','.join(CLASSES)}]"]
        # Without workers the processor's time of this process is that of all.
        own = [f"run.root={scratch}", f"data.cache_dir={scratch}/cache", "data.num_workers=0"]
        own += ["trainer.enable_progress_bar=false", f"trainer.max_epochs={EPOCHS}"]
        rows = []
        for every, often in ((0, "no surface distances"), (1, "surface distances in each epoch")):
            surface = [f"metrics.surface_every={every}"]
            config = load_config([ROOT / "configs" / "segmentation_3d.yaml"], [*own, *data, *surface])
            clock = Clock()
            train(config, CSVDataModule(config), RunFolder(scratch / f"run_{every}"), clock)
            beside = (clock.validation - clock.inference) / EPOCHS
            whole = clock.epochs / EPOCHS
            rows.append(Row(f"{what}, {often}", "the whole epoch", beside, whole, "s", "<= 0.05"))
    write_section("Validation", rows, "Processor time of the first epochs; the network's inference is left out.")


if __name__ == "__main__":
    run()
