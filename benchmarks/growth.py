"""What more rows cost: time to the first step, memory and the time of `trainlib check`, of small pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.children import environment, processor_time, trainlib
from benchmarks.harness import Row, write_section

ROWS = [10, 100, 1_000, 10_000]
MANY = 100_000
PLOT = Path(__file__).with_name("growth.svg")
CONFIG = """
run: {name: rows}
task: classification
data:
  train_csv: train.csv
  valid_csv: valid.csv
  test_csv: test.csv
  spatial_dims: 2
  batch_size: 4
  num_workers: 0
transforms:
  base: [LoadImaged, EnsureChannelFirstd, NormalizeIntensityd]
  train: [RandFlipd: {spatial_axis: 0}]
model: {DenseNet: {init_features: 4, growth_rate: 4, block_config: [1]}}
emissions: null
trainer: {accelerator: cpu, enable_progress_bar: false}
"""
Figures = dict[str, float]
"""Name of a column -> s, or MB."""


def make_rows(folder: Path, count: int) -> None:
    """Write distinct pictures of 8 x 8 pixels, a tenth each for validation and test, and their CSVs."""
    images = folder / "images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(count):
        pixels = rng.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(images / f"{i:06d}.png", compress_level=0)
        rows.append(f"images/{i:06d}.png,{'ab'[i % 2]}")
    part = max(2, count // 10)
    for split, lines in (("valid", rows[:part]), ("test", rows[part : 2 * part]), ("train", rows[2 * part :])):
        (folder / f"{split}.csv").write_text("\n".join(["image,label", *lines]) + "\n")


def first_step(scratch: Path, data: Path, *more: str) -> Figures:
    """Train for one step, and return what it took to come there: seconds of the processor and the clock, and memory."""
    note = scratch / "note.json"
    note.unlink(missing_ok=True)
    probe = f"callbacks=[{{benchmarks.probe.FirstStep: {{path: {note}}}}}]"
    own = [f"data.root={data}", f"run.root={scratch}/runs_{data.name}", "run.overwrite=true", probe]
    started = time.time()
    _run(trainlib("fit", "-c", str(scratch / "rows.yaml"), *own, *more))
    found = json.loads(note.read_text())
    return {"s": found["processor"], "clock": found["time"] - started, "MB": found["memory"]}


def check(scratch: Path, data: Path) -> float:
    """Return the seconds of the processor that `trainlib check` takes."""
    own = [f"data.root={data}", f"run.root={scratch}/runs"]
    return processor_time(trainlib("check", "-c", str(scratch / "rows.yaml"), *own))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")


def measure(scratch: Path, count: int, *, checked: bool = True) -> Figures:
    """Measure all there is to a number of rows; the second training of it fills the cache."""
    data = scratch / f"rows_{count}"
    make_rows(data, count)
    at_once, prepared = first_step(scratch, data, "data.prepare=on_demand"), first_step(scratch, data)
    again, quick = first_step(scratch, data), first_step(scratch, data, "--no-check")
    found = {
        "first": prepared["s"],
        "on demand": at_once["s"],
        "cached": again["s"],
        "--no-check": quick["s"],
        "memory": again["MB"],
        "clock": again["clock"],
        "on demand by the clock": at_once["clock"],
        "--no-check by the clock": quick["clock"],
        **({"check": check(scratch, data)} if checked else {}),
    }
    shutil.rmtree(data)
    return found


def rows_of(found: dict[int, Figures]) -> list[Row]:
    """Compare each number of rows with the smallest."""
    what = {
        "first": ("`fit` to its first step, nothing cached", "s"),
        "on demand": ("`fit` with `data.prepare: on_demand` to its first step, nothing cached", "s"),
        "cached": ("`fit` to its first step, cached", "s"),
        "--no-check": ("`fit --no-check` to its first step, cached", "s"),
        "check": ("`trainlib check`", "s"),
        "memory": ("memory of `fit` at its first step", "MB"),
    }
    least = min(found)
    return [
        Row(f"{count:,} rows: {text}", f"{least} rows", found[count][name], found[least][name], unit, aim(name, count))
        for name, (text, unit) in what.items()
        for count in found
        if count > least and name in found[count]
    ]


def aim(name: str, count: int) -> str:
    """Return the aim of a figure."""
    return "<= 10 s" if count == MANY and name in ("on demand", "cached", "--no-check") else "linear or better"


def plot(found: dict[int, Figures]) -> None:
    """Draw seconds and memory over the number of rows."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "growth"
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = {
        "first": "fit, nothing cached",
        "on demand": "fit, prepared on demand",
        "cached": "fit, cached",
        "--no-check": "fit --no-check, cached",
        "check": "check",
    }
    for name, label in shown.items():
        counts = [count for count in found if name in found[count]]
        left.plot(counts, [found[count][name] for count in counts], marker="o", label=label)
    memory = [figures["memory"] for figures in found.values()]
    right.plot([*found], memory, marker="o")
    left.set(xscale="log", yscale="log", xlabel="rows", ylabel="processor time in s")
    right.set(xscale="log", xlabel="rows", ylabel="memory in MB", ylim=(0, 1.1 * max(memory)))
    left.legend()
    figure.savefig(PLOT, metadata={"Date": None})


def run() -> None:
    """Measure all numbers of rows."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "rows.yaml").write_text(CONFIG)
        found = {count: measure(scratch, count) for count in ROWS}
        found[MANY] = measure(scratch, MANY, checked=False)
    plot(found)
    per_row = 1000 * (found[MANY]["memory"] - found[ROWS[0]]["memory"]) / (MANY - ROWS[0])
    text = (
        "Processor time in one thread, of gray pictures of 8 x 8 pixels. The first training prepares and keeps every "
        f"case; `fit` reads all headers beforehand, `--no-check` does not. A row takes {per_row:.2g} kB of memory. "
        f"By the clock, {MANY:,} rows start in {found[MANY]['on demand by the clock']:.1f} s where they are prepared "
        f"on demand, and once they are cached in {found[MANY]['clock']:.1f} s, with `--no-check` in "
        f"{found[MANY]['--no-check by the clock']:.1f} s."
        "\n\n![Time and memory over the number of rows](growth.svg)"
    )
    write_section("Growth", rows_of(found), text)


if __name__ == "__main__":
    run()
