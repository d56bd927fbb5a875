"""How long the viewer takes from a control to the new picture: 256 x 256 x 256 voxels with label and prediction.

The peer is what notebooks do without a viewer: matplotlib's `imshow` of the same slice, label and prediction over it,
drawn anew as PNG of about the same size. Both draw the same slices in turn, in one process. Run it from the repository:

    python benchmarks/viewer.py
    B=../shared/data/brain/brain256; python benchmarks/viewer.py --image ${B}_image.nii.gz --label ${B}_label7.nii.gz
"""

from __future__ import annotations

import argparse
import io
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from trainlib.viewer.scene import Scene, make_scene
from trainlib.viewer.state import AXES
from trainlib.viewer.widgets import Entry, Viewer

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parent / "results" / "viewer.md"
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


def clocked(call: Callable[[], Any]) -> float:
    """Return the milliseconds that a call takes."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def measure(scene: Scene, slices: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Move every control, and the slider of each plane through its slices in turn with the peer.

    Args:
        scene: What is shown.
        slices: Slices of each plane.

    Returns:
        Milliseconds of the viewer for each control, and of the peer for each plane.
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
            took = clocked(lambda plane=plane, index=index: move(plane, index))
            if viewer.picture.value != before:  # else it was there already
                ours[f"slice, {plane}"].append(took)
            peers[f"slice, {plane}"].append(clocked(lambda a=axis, i=index: drawn_by_matplotlib(scene, a, i - 1)))
    move("plane", "all")
    for index in range(60, 60 + slices):
        ours["slice, all planes"].append(clocked(lambda index=index: move("axial", index)))
    for name, values in CONTROLS.items():
        for value in values * 5:
            ours[name].append(clocked(lambda name=name, value=value: move(name, value)))
    return dict(ours), dict(peers)


def main() -> None:
    """Measure, print the table and write it to `RESULTS`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image")
    parser.add_argument("--label")
    parser.add_argument("--slices", type=int, default=60)
    given = parser.parse_args()
    image, label = (given.image, given.label) if given.image else generated()
    scene = make_scene(image, label)
    assert scene.label is not None
    scene = make_scene(scene.image.values[0], scene.label, np.roll(scene.label, (5, 4, 3), (0, 1, 2)))
    ours, peers = measure(scene, given.slices)
    rows = [
        f"| {name} | {median(took):.0f} | {max(took):.0f} "
        + (f"| {median(peers[name]):.0f} | {median(took) / median(peers[name]):.2f} |" if name in peers else "| | |")
        for name, took in ours.items()
    ]
    slices = [value for name in peers for value in ours[name]]
    peer = [value for values in peers.values() for value in values]
    text = (
        "# Viewer: from a control to the new picture\n\n"
        f"{'x'.join(map(str, scene.image.shape))} voxels with label and prediction "
        f"({Path(given.image).name if given.image else 'generated'}), milliseconds in the kernel;\n"
        "the peer is matplotlib's `imshow` of the same slice with both over it, drawn as PNG.\n\n"
        "| what is moved | median | maximum | peer, median | ratio |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nAll slices: {median(slices):.0f} ms against {median(peer):.0f} ms, ratio "
        f"{median(slices) / median(peer):.2f}; {len(slices)} and {len(peer)} pictures in turn.\n\n"
        f"{platform.machine()}, Python {platform.python_version()}.\n"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
