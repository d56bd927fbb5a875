"""What the callbacks add to an epoch: `fit` with all of them against the same training with none.

Both trainings run in turn, several times, in one process; the figure is the ratio of the medians of
their epochs, the first epoch of each left out. Run it from the repository:

    python benchmarks/callbacks.py -c configs/segmentation_3d.yaml data.root=../shared/data/hippocampus
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median

import yaml
from lightning import Callback

from trainlib.callbacks import build_callbacks
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.data.module import CSVDataModule
from trainlib.folders.run import RunFolder
from trainlib.tasks import TASKS
from trainlib.trainer import make_trainer, tensorboard

RESULTS = Path(__file__).parent / "results" / "callbacks.md"


class Clock(Callback):
    """Measures from the start of each epoch to the start of the next, all callbacks included."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())

    def on_train_end(self, *_: object) -> None:
        """Note the end of the last epoch."""
        self.starts.append(time.perf_counter())

    @property
    def epochs(self) -> list[float]:
        """Seconds of each epoch but the first, which starts the workers."""
        return [end - start for start, end in zip(self.starts, self.starts[1:], strict=False)][1:]


class Pushover(BaseHTTPRequestHandler):
    """Takes every message."""

    def do_POST(self) -> None:
        """Answer as the API does."""
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"status": 1, "request": "0"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def train(config: Config, folder: RunFolder, *, watched: bool) -> list[float]:
    """Train and return the seconds of each epoch."""
    clock = Clock()
    callbacks = build_callbacks("fit", config, folder) if watched else []
    loggers = [tensorboard(folder, None)] if watched else []
    trainer = make_trainer(config, [*callbacks, clock], loggers)
    trainer.fit(TASKS[config.task](config), datamodule=CSVDataModule(config))
    return clock.epochs


def compare(files: list[str], overrides: list[str], rounds: int) -> dict[bool, list[float]]:
    """Train in turn with and without callbacks."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    server = HTTPServer(("127.0.0.1", 0), Pushover)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch:
        credentials = Path(scratch) / "credentials.yaml"
        credentials.write_text(yaml.safe_dump({"app_token": "token", "user_key": "key"}))
        own = [
            f"run.root={scratch}",
            f"pushover.credentials={credentials}",
            f"pushover.api=http://127.0.0.1:{server.server_port}/1",
            "emissions.country=DEU",
        ]
        config = load_config(files, [*own, *overrides])
        for turn in range(2 * rounds):
            watched = turn % 2 == 0
            folder = RunFolder(Path(scratch) / str(turn))
            folder.path.mkdir()
            seconds[watched] += train(config, folder, watched=watched)
    server.shutdown()
    return seconds


def main() -> None:
    """Measure, print the table and write it to `RESULTS`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", action="append", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    seconds = compare(given.config, [*given.overrides, f"trainer.max_epochs={given.epochs}"], given.rounds)
    watched, bare = median(seconds[True]), median(seconds[False])
    text = (
        "# Callbacks: an epoch with all of them against one with none\n\n"
        "| config | with all callbacks (median) | with none (median) | ratio | epochs measured |\n"
        "|---|---|---|---|---|\n"
        f"| {', '.join(Path(file).name for file in given.config)} | {watched:.3f} s | {bare:.3f} s "
        f"| {watched / bare:.3f} | {len(seconds[True])} and {len(seconds[False])} |\n\n"
        f"{platform.machine()}, Python {platform.python_version()}; the two in turn, {given.rounds} times each.\n"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
