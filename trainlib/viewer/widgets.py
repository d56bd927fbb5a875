"""The controls of the viewer; what they do is in `ViewState` and `render`."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from PIL import Image

from trainlib.errors import TrainlibError
from trainlib.viewer.render import render
from trainlib.viewer.scene import Scene
from trainlib.viewer.state import PLANES, WINDOWS, ViewState

_OWN = "image"  # name of the window that the intensities suggest
_FEW = 4  # scenes that are shown where widgets are not available


@dataclass(frozen=True)
class Entry:
    """Something that can be opened.

    Attributes:
        title: How it is listed.
        open: Reads it.
    """

    title: str
    open: Callable[[], Scene]


def show(entries: Sequence[Entry]) -> Any:
    """Make a viewer, or a picture of the first entries where ipywidgets is not installed."""
    return Viewer(entries) if find_spec("ipywidgets") is not None else still(entries)


def still(entries: Sequence[Entry]) -> Image.Image:
    """Draw the first entries below each other, each with all its planes."""
    pictures = []
    for entry in entries[:_FEW]:
        scene = entry.open()
        state = ViewState.of(scene)
        state.plane = "all" if scene.dims == 3 else state.plane
        pictures.append(render(scene, state, height=260))
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)))
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet


class Viewer:
    """A picture with its controls; a notebook shows it when it is the last line of a cell.

    Args:
        entries: What can be opened; the first is.

    Attributes:
        scene: What is open.
        state: What is shown of it.
        controls: The widgets by name.
        box: The widget that holds all.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        import ipywidgets as widgets

        self.entries = list(entries)
        self.scene = self.entries[0].open()
        self.state = ViewState.of(self.scene)
        self._updating = False
        self.picture = widgets.Image(format="png")
        self.details = widgets.HTML()
        self.controls: dict[str, Any] = _controls(widgets, [entry.title for entry in self.entries])
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._changed(name, change["new"]), names="value")
        self._show_controls()
        listed = [self.controls["entry"]] if len(self.entries) > 1 else []
        upper = widgets.HBox([self.controls[name] for name in ("plane", "slice", "channel")])
        middle = widgets.HBox([self.controls[name] for name in ("preset", "window")])
        lower = widgets.HBox([self.controls[name] for name in ("mode", "style", "opacity")])
        self.box = widgets.VBox([*listed, upper, middle, lower, self.picture, self.details])
        self.redraw()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)

    def redraw(self) -> None:
        """Draw the picture anew."""
        content = io.BytesIO()
        # Notebooks get the picture from the kernel at once; the time goes into drawing, not into its size.
        render(self.scene, self.state).save(content, format="png", compress_level=1)
        self.picture.value = content.getvalue()

    def open(self, index: int) -> None:
        """Open an entry; what of it is shown begins anew, how it is shown stays."""
        before = self.state
        try:
            self.scene = self.entries[index].open()
        except TrainlibError as error:
            self.details.value = f"<pre>{html.escape(str(error))}</pre>"
            return
        self.state = ViewState.of(self.scene)
        self.state.opacity, self.state.mode = before.opacity, before.mode
        if self.scene.dims == len(before.shape):
            self.state.plane = before.plane
        self._show_controls()
        self.redraw()

    def _changed(self, name: str, value: Any) -> None:
        if self._updating:
            return
        if name == "entry":
            self.open(value)
            return
        if name == "slice":
            self.state.go(value)
        elif name == "window":
            self.state.set_window(*value)
        elif name == "preset":
            self.state.set_window(*WINDOWS.get(value, self.scene.window))
        else:
            setattr(self.state, name, value)
        if name in ("plane", "preset"):
            self._show_controls()
        self.redraw()

    def _show_controls(self) -> None:
        """Bring the controls to the state, and hide those that the scene has no use for."""
        self._updating = True
        try:
            scene, state, controls = self.scene, self.state, self.controls
            _set_range(controls["slice"], 0, state.slices - 1, state.index)
            low, high = min(scene.window[0], state.low), max(scene.window[1], state.high)
            room = high - low
            controls["window"].step = room / 200
            _set_range(controls["window"], low - room / 2, high + room / 2, (state.low, state.high))
            channels = len(scene.image.values)
            colours = [("colours", None)] if scene.dims == 2 and channels == 3 else []
            controls["channel"].options = colours + [(f"channel {i}", i) for i in range(channels)]
            for name in ("plane", "channel", "opacity", "style", "mode"):
                controls[name].value = getattr(state, name)
            overlays = [values for values in (scene.label, scene.prediction) if values is not None]
            _show(controls["plane"], scene.dims == 3)
            _show(controls["slice"], scene.dims == 3)
            _show(controls["channel"], channels > 1)
            _show(controls["mode"], len(overlays) == 2)
            _show(controls["style"], bool(overlays))
            _show(controls["opacity"], bool(overlays))
            self.details.value = _table(scene.details)
        finally:
            self._updating = False


def _controls(widgets: Any, titles: list[str]) -> dict[str, Any]:
    options = list(zip(titles, range(len(titles)), strict=True))
    wide = widgets.Layout(width="880px")
    return {
        "entry": widgets.Select(options=options, value=0, rows=min(10, max(2, len(titles))), layout=wide),
        "plane": widgets.ToggleButtons(options=PLANES, style={"button_width": "80px"}),
        "slice": widgets.IntSlider(min=0, max=0, description="slice"),
        "channel": widgets.Dropdown(options=[("channel 0", 0)]),
        "preset": widgets.Dropdown(options=[_OWN, *WINDOWS], description="window"),
        "window": widgets.FloatRangeSlider(readout_format=".4g", layout=widgets.Layout(width="560px")),
        "mode": widgets.Dropdown(options=["overlay", "side by side", "differences"]),
        "style": widgets.ToggleButtons(options=["outline", "fill"], style={"button_width": "70px"}),
        "opacity": widgets.FloatSlider(min=0, max=1, step=0.05, description="opacity"),
    }


def _set_range(control: Any, low: float, high: float, value: Any) -> None:
    """Set bounds and value in an order in which none of them is refused."""
    if low > control.max:
        control.max = high
        control.min = low
    else:
        control.min = low
        control.max = high
    control.value = value


def _show(control: Any, shown: bool) -> None:
    control.layout.display = None if shown else "none"


def _table(details: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><td>{html.escape(n)}</td><td>{html.escape(v)}</td></tr>" for n, v in details)
    return f"<table>{rows}</table>" if rows else ""
