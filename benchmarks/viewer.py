"""How long the viewer takes from a control to the new picture: 256 x 256 x 256 voxels with label and prediction.

The peer is what notebooks do without a viewer: matplotlib's `imshow` of the same slice, label and prediction over it,
drawn anew as PNG of about the same size. Both draw the same slices in turn, in one process.
"""

from __future__ import annotations

import io
from collections import defaultdict
from functools import partial
from statistics import median
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Row, seconds, write_section
from trainlib.viewer.scene import Scene, make_scene
from trainlib.viewer.state import AXES
from trainlib.viewer.widgets import Entry, Viewer

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SLICES = 60
PEER = "imshow of matplotlib, drawn as PNG"
CONTROLS: dict[str, list[Any]] = {
    "window": [(10.0, 300.0), (50.0, 400.0)],
    "preset": ["CT lung", "CT brain"],
    "opacity": [0.2, 0.9],
    "style": ["fill", "outline"],
    "mode": ["side by side", "differences", "overlay"],
    "plane": ["coronal", "sagittal", "all", "axial"],
}


def generated(size: int = 256) -> tuple[NDArray[Any], NDArray[Any]]:
    """Make an image with noise and a label of two classes in it."""
    x, y, z = (axis / np.float32(size) - 0.5 for axis in np.ogrid[:size, :size, :size])
    radius = np.sqrt(x**2 + 1.3 * y**2 + z**2)
    image = 400 * np.exp(-((radius / 0.35) ** 4)) + np.random.default_rng(0).normal(0, 15, radius.shape)
    return image.astype(np.float32), ((radius < 0.25).astype(np.uint8) + (radius < 0.12))


def drawn_by_matplotlib(scene: Scene, axis: int, index: int) -> bytes:
    """Draw a slice with its label and prediction as people's own cells do."""
    cut = (slice(None),) * axis + (index,)
    figure, axes = plt.subplots(figsize=(5.2, 5.6))
    axes.imshow(scene.image.values[0][cut].T, cmap="gray", origin="lower")
    for values in (scene.label, scene.prediction):
        assert values is not None
        plane = values[cut].T
        axes.imshow(np.ma.masked_equal(plane, 0), cmap="tab10", alpha=0.45, origin="lower", interpolation="none")
    axes.set_title(f"slice {index}")
    axes.axis("off")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    plt.close(figure)
    return content.getvalue()


def measure(scene: Scene, slices: int = SLICES) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Move every control, and the slider of each plane through its slices in turn with the peer.

    Args:
        scene: What is shown.
        slices: Slices of each plane.

    Returns:
        Seconds of the viewer for each control, and of the peer for each plane.
    """
    viewer = Viewer([Entry("volume", lambda: scene)])
    ours, peers = defaultdict(list), defaultdict(list)

    def move(name: str, value: Any) -> None:
        viewer.controls[name].value = value

    move("plane", "axial")
    drawn_by_matplotlib(scene, 2, 0)  # loads fonts
    for plane, axis in AXES.items():
        move("plane", plane)
        for index in np.linspace(1, scene.image.shape[axis], slices).astype(int).tolist():
            before = viewer.picture.value
            took = seconds(partial(move, plane, index))
            if viewer.picture.value != before:  # else it was there already
                ours[f"slice, {plane}"].append(took)
            peers[f"slice, {plane}"].append(seconds(partial(drawn_by_matplotlib, scene, axis, index - 1)))
    move("plane", "all")
    for index in range(60, 60 + slices):
        ours["slice, all planes"].append(seconds(partial(move, "axial", index)))
    for name, values in CONTROLS.items():
        for value in values * 5:
            ours[name].append(seconds(partial(move, name, value)))
    return dict(ours), dict(peers)


def run() -> None:
    """Measure a generated volume."""
    image, label = generated()
    scene = make_scene(image, label, np.roll(label, (5, 4, 3), (0, 1, 2)))
    ours, peers = measure(scene)
    rows = [
        Row(name, PEER, 1000 * median(took), 1000 * median(peers[name]) if name in peers else None, "ms", "<= 100 ms")
        for name, took in ours.items()
    ]
    longest = 1000 * max(max(took) for took in ours.values())
    write_section("Viewer", rows, f"256 x 256 x 256 voxels, in the kernel; the longest move took {longest:.0f} ms.")


if __name__ == "__main__":
    run()
