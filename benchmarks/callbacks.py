"""What the callbacks add to an epoch: `fit` with all of them against the same training with none, in turn."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median

import yaml
from lightning import Callback

from benchmarks.harness import Row, write_section
from benchmarks.step import HIPPOCAMPUS, ROOT
from benchmarks.training import train
from trainlib.config.load import load_config
from trainlib.data.module import CSVDataModule
from trainlib.data.phantom import CLASSES, make_dataset
from trainlib.folders.run import RunFolder

ROUNDS, EPOCHS = 3, 6


class Clock(Callback):
    """Measures from the start of each epoch to the start of the next, all callbacks and their threads included."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        """Note the time."""
        self.starts.append(time.process_time())

    def on_train_end(self, *_: object) -> None:
        """Note the end of the last epoch."""
        self.starts.append(time.process_time())

    @property
    def epochs(self) -> list[float]:
        """Seconds of the processor for each epoch but the first, in which all is done for the first time."""
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


def compare(overrides: list[str], scratch: Path) -> list[float]:
    """Train in turn with and without callbacks, and return the median of an epoch of each in s."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    server = HTTPServer(("127.0.0.1", 0), Pushover)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    credentials = scratch / "credentials.yaml"
    credentials.write_text(yaml.safe_dump({"app_token": "token", "user_key": "key"}))
    own = [
        f"run.root={scratch}",
        f"data.cache_dir={scratch}/cache",
        "data.num_workers=0",  # so that the processor's time of this process is that of all
        f"pushover.credentials={credentials}",
        f"pushover.api=http://127.0.0.1:{server.server_port}/1",
        "emissions.country=DEU",
        "trainer.enable_progress_bar=false",
        f"trainer.max_epochs={EPOCHS}",
    ]
    config = load_config([ROOT / "configs" / "segmentation_3d.yaml"], [*own, *overrides])
    for turn in range(2 * ROUNDS):
        watched, clock = turn % 2 == 0, Clock()
        train(config, CSVDataModule(config), RunFolder(scratch / str(turn)), clock, watched=watched)
        seconds[watched] += clock.epochs
    server.shutdown()
    return [median(seconds[True]), median(seconds[False])]


def run() -> None:
    """Measure on real data where there are any, else on generated ones."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        what, data = "an epoch of hippocampus, configs/segmentation_3d.yaml", [f"data.root={HIPPOCAMPUS}"]
        if not HIPPOCAMPUS.is_dir():
            root = make_dataset(scratch / "data", cases=(40, 8, 2), shape=(32, 40, 32))
            what, data = "an epoch of generated data", [f"data.root={root}", f"data.classes=[{','.join(CLASSES)}]"]
        watched, bare = compare(data, scratch)
    rows = [Row(f"{what}, with all callbacks", "none", watched, bare, "s", "<= 1.03")]
    text = "Processor time: curves, pictures, tables, checkpoints, CO2, messages to a server at hand, TensorBoard."
    write_section("Callbacks", rows, text)


if __name__ == "__main__":
    run()
