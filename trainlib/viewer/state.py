"""What of a scene is shown, and how: slice, plane, window, overlays. Knows nothing of widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainlib.drawing.planes import Plane, choose_planes
from trainlib.viewer.scene import Scene

PLANES = ("axial", "coronal", "sagittal", "all")
"""Names of the planes; ``all`` shows the three side by side."""
_AXES = {"axial": 2, "coronal": 1, "sagittal": 0}
WINDOWS: dict[str, tuple[float, float]] = {
    "CT soft tissue": (-160.0, 240.0),
    "CT lung": (-1350.0, 150.0),
    "CT bone": (-450.0, 1050.0),
    "CT brain": (0.0, 80.0),
    "CT liver": (-45.0, 105.0),
    "CT mediastinum": (-125.0, 225.0),
}
"""Windows of intensities on a CT console, in Hounsfield units: black and white."""

Style = Literal["outline", "fill"]
Mode = Literal["overlay", "side by side", "differences"]


@dataclass
class ViewState:
    """What is shown of a scene.

    Attributes:
        shape: Voxels of the image along each axis.
        positions: The slice through each axis.
        plane: One of `PLANES`; a 2-D image is its own plane.
        low: Intensity that is black.
        high: Intensity that is white.
        channel: Channel that is shown; None shows three channels as colours.
        opacity: Of the overlays, 0 to 1.
        style: How a label is drawn, or a prediction that is alone.
        mode: How label and prediction are shown where there are both.
    """

    shape: tuple[int, ...]
    positions: list[int]
    plane: str = "axial"
    low: float = 0.0
    high: float = 1.0
    channel: int | None = 0
    opacity: float = 0.45
    style: Style = "fill"
    mode: Mode = "overlay"

    @classmethod
    def of(cls, scene: Scene) -> ViewState:
        """Begin with the planes that show most of the label, or of the prediction; else with the middle."""
        masks = [mask for mask in (scene.label, scene.prediction) if mask is not None and (mask > 0).any()]
        shape = scene.image.shape
        positions = [size // 2 for size in shape]
        if masks and len(shape) == 3:
            for plane in choose_planes(masks[0] > 0):
                assert plane.axis is not None
                positions[plane.axis] = plane.index
        coloured = len(shape) == 2 and len(scene.image.values) == 3
        both = scene.label is not None and scene.prediction is not None
        style: Style = "outline" if both else "fill"
        return cls(shape, positions, low=scene.window[0], high=scene.window[1],
                   channel=None if coloured else 0, style=style)  # fmt: skip

    @property
    def axis(self) -> int | None:
        """The axis that the slice slider moves along: that of the plane, of all three the axial; None in 2-D."""
        return None if len(self.shape) == 2 else _AXES.get(self.plane, 2)

    @property
    def slices(self) -> int:
        """Number of slices along `axis`."""
        return 1 if self.axis is None else self.shape[self.axis]

    @property
    def index(self) -> int:
        """The slice along `axis`."""
        return 0 if self.axis is None else self.positions[self.axis]

    @property
    def planes(self) -> list[Plane]:
        """The planes that are drawn."""
        if self.axis is None:
            return [Plane(None)]
        axes: Sequence[int] = (2, 1, 0) if self.plane == "all" else (self.axis,)
        return [Plane(axis, self.positions[axis]) for axis in axes]

    def go(self, index: int) -> None:
        """Show a slice along `axis`; beyond the end, the last one."""
        if self.axis is not None:
            self.positions[self.axis] = min(max(int(index), 0), self.slices - 1)

    def set_window(self, low: float, high: float) -> None:
        """Choose the intensities that are black and white; they are told apart even where they are equal."""
        self.low, self.high = float(low), float(high) if high > low else float(low) + 1e-6
