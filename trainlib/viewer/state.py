"""What of a scene is shown, and how: slice, plane, window, overlays. Knows nothing of widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainlib.drawing.planes import Plane, choose_planes
from trainlib.viewer.scene import Scene

AXES = {"axial": 2, "coronal": 1, "sagittal": 0}
"""Name of a plane -> the axis that it is perpendicular to."""
PLANES = (*AXES, "all")
"""Names of the planes; ``all`` shows the three side by side."""
OWN, BY_HAND = "image", "by hand"
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
        preset: `OWN` for the window that the intensities suggest, a name in `WINDOWS`, or `BY_HAND`.
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
    preset: str = OWN
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
        both = scene.label is not None and scene.prediction is not None
        state = cls(shape, positions, channel=None if scene.coloured else 0, style="outline" if both else "fill")
        state.choose_window(OWN, scene)
        return state

    def carry_on(self, before: ViewState, scene: Scene) -> None:
        """Show a scene as another one was shown, as far as it has what that had.

        Args:
            before: How the other one was shown.
            scene: The scene of this state.
        """
        self.opacity, self.mode, self.style = before.opacity, before.mode, before.style
        if len(self.shape) == len(before.shape):
            self.plane = before.plane
        if before.channel is not None and before.channel < len(scene.image.values):
            self.channel = before.channel
        # A window by hand is of one image: another one may have its intensities anywhere.
        self.choose_window(OWN if before.preset == BY_HAND else before.preset, scene)

    @property
    def planes(self) -> list[Plane]:
        """The planes that are drawn."""
        if len(self.shape) == 2:
            return [Plane(None)]
        axes = list(AXES.values()) if self.plane == "all" else [AXES[self.plane]]
        return [Plane(axis, self.positions[axis]) for axis in axes]

    def go(self, axis: int, index: int) -> None:
        """Show a slice through an axis; beyond the end, the last one."""
        self.positions[axis] = min(max(int(index), 0), self.shape[axis] - 1)

    def choose_window(self, preset: str, scene: Scene) -> None:
        """Take a window by its name; one by hand stays as it is."""
        self.preset = preset
        if preset != BY_HAND:
            self.low, self.high = WINDOWS[preset] if preset in WINDOWS else scene.window(self.channel)

    def set_window(self, low: float, high: float) -> None:
        """Choose the intensities that are black and white; they are told apart even where they are equal."""
        low, high = float(low), float(high)
        self.preset, self.low = BY_HAND, low
        self.high = high if high > low else low + max(1e-6, abs(low) * 1e-6)
