"""`python -m benchmarks [PART ...]` measures the parts, or all of them, in one thread each, and writes RESULTS.md."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

import torch

_ALL_THREADS = torch.get_num_threads()
PARTS = ["startup", "step", "data", "metrics", "validation", "inference", "growth", "callbacks", "viewer", "gpu"]


def main() -> None:
    """Measure what the command line names."""
    there = [part for part in PARTS if Path(__file__).with_name(f"{part}.py").is_file()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(there)}; default: all")
    given = parser.parse_args().parts
    if unknown := [part for part in given if part not in there]:
        parser.error(f"there is no part {unknown[0]}; choose from {', '.join(there)}")
    for part in given or there:
        measured = import_module(f"benchmarks.{part}")
        torch.set_num_threads(_ALL_THREADS if part == "gpu" else 1)
        measured.run()


if __name__ == "__main__":
    main()
