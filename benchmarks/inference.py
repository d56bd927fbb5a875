"""Time and memory of a sliding window over 256 x 256 x 256 voxels to a map of classes, against MONAI's."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
from monai.inferers import SlidingWindowInferer

from benchmarks.harness import Row, in_turn, write_section
from trainlib.tasks.deciding import highest
from trainlib.tasks.stitching import slabs

SIZE, WINDOW, CLASSES = 256, 96, 8
_EVERY = 0.002  # s between two looks at the memory

Decide = Callable[[torch.Tensor, torch.nn.Module], torch.Tensor]


def prepared() -> tuple[torch.Tensor, torch.nn.Module]:
    """Make an image and a network so small that all the rest shows."""
    torch.manual_seed(0)
    return torch.randn(1, 1, SIZE, SIZE, SIZE), torch.nn.Conv3d(1, CLASSES, 1)


def inferer() -> SlidingWindowInferer:
    """Make what a segmentation has by default."""
    return SlidingWindowInferer([WINDOW] * 3, sw_batch_size=4, overlap=0.5, mode="gaussian")


def ours(image: torch.Tensor, network: torch.nn.Module) -> torch.Tensor:
    """Decide slab by slab, as `trainlib test` and `predict` do."""
    found = torch.empty(1, *image.shape[2:], dtype=torch.uint8)
    for slab in slabs(inferer(), image, network):
        found[:, slab.start : slab.start + slab.logits.shape[1]] = highest(slab.logits.softmax(dim=0))
    return found


def theirs(image: torch.Tensor, network: torch.nn.Module) -> torch.Tensor:
    """Decide when the whole volume is there, without a softmax."""
    logits = inferer()(image, network)
    assert isinstance(logits, torch.Tensor)
    return logits[0].argmax(dim=0, keepdim=True)


def resident() -> float:
    """Return the resident memory of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def _watched(decide: Decide, connection: Connection) -> None:
    """Send by how many MB the resident memory rose at most."""
    torch.set_num_threads(1)
    image, network = prepared()
    start, highest_yet, over = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            highest_yet[0] = max(highest_yet[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with torch.inference_mode():
        decide(image, network)
    over.set()
    watcher.join()
    connection.send(highest_yet[0] - start)


def peak(decide: Decide) -> float:
    """Measure the memory that a way to decide takes beside image and network, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_watched, args=(decide, sender))
    process.start()
    risen: float = receiver.recv()
    process.join()
    return risen


def run() -> None:
    """Measure time and memory, and compare the results."""
    torch.set_num_threads(1)
    image, network = prepared()
    what = f"{SIZE} x {SIZE} x {SIZE}, {CLASSES} classes, windows of {WINDOW}, overlap 0.5, a map of classes"
    peer = "SlidingWindowInferer of MONAI and argmax"
    with torch.inference_mode():
        assert torch.equal(ours(image, network).long(), theirs(image, network))
        mine, other = in_turn(lambda: ours(image, network), lambda: theirs(image, network), 3, time.process_time)
    rows = [Row(what, peer, mine, other, "s", "<= 1")]
    if sys.platform == "linux":
        rows.append(Row(f"{what}: memory beside the image", peer, peak(ours), peak(theirs), "MB", "<= 0.5"))
    else:
        rows.append(Row(f"{what}: memory", peer, None, None, "MB", "<= 0.5", "only measured on Linux"))
    write_section("Inference", rows, "Trainlib's time has a softmax in it, which MONAI's has not.")


if __name__ == "__main__":
    run()
