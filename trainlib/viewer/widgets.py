"""The viewer in a notebook; what its controls do is in `ViewState` and `render`."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from PIL import Image

from trainlib.drawing.sheet import MARGIN
from trainlib.errors import TrainlibError
from trainlib.viewer.controls import make_controls, show_only, update
from trainlib.viewer.render import axis_at, render
from trainlib.viewer.scene import Scene
from trainlib.viewer.state import AXES, ViewState

_FEW = 4  # scenes that are shown where widgets are not available
_KEYS = {"ArrowUp": 1, "ArrowRight": 1, "ArrowDown": -1, "ArrowLeft": -1, "PageUp": 10, "PageDown": -10}
_EVENTS = 40  # milliseconds between two turns of the mouse wheel, at least


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
    pictures = [_planes(scene, ViewState.of(scene)) for scene in (entry.open() for entry in entries[:_FEW])]
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)))
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet


def _planes(scene: Scene, state: ViewState) -> Image.Image:
    """Draw all planes of a scene as it is shown."""
    return render(scene, replace(state, plane="all") if scene.dims == 3 else state)


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    # Notebooks get the picture from the kernel at once; the time goes into drawing, not into its size.
    picture.save(content, format="png", compress_level=1)
    return content.getvalue()


class Viewer:
    """A picture with its controls; a notebook shows it when it is the last line of a cell.

    Args:
        entries: What can be opened; the first is.

    Attributes:
        scene: What is open; None where it could not be read.
        state: What is shown of it.
        controls: The widgets by name.
        box: The widget that holds all.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        import ipywidgets as widgets

        self.entries = list(entries)
        self.scene: Scene | None = None
        self.state: ViewState | None = None
        self._updating = False
        self._width = 0
        # With its own size, or where there is less room, smaller in the same proportions.
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self.picture.layout.align_self = "flex-start"
        self.details = widgets.HTML()
        self.controls, rows = make_controls([entry.title for entry in self.entries])
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._changed(name, change["new"]), names="value")
        around = widgets.Box([self.details], layout=widgets.Layout(max_height="340px", overflow="auto"))
        self.box = widgets.VBox([*rows, self.picture, around])
        self._listen()
        self.open(0)

    def __repr__(self) -> str:
        return f"<viewer: {self.scene.caption if self.scene else 'nothing to show'}>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Show the controls, and where a notebook is only read, a picture of all planes."""
        shown = dict(self.box._repr_mimebundle_(**options)) | {"text/plain": repr(self)}
        if self.scene is None or self.state is None:
            return shown
        picture = _png(_planes(self.scene, self.state))
        return shown | {"image/png": base64.b64encode(picture).decode()}

    def redraw(self) -> None:
        """Draw the picture anew."""
        if self.scene is not None and self.state is not None:
            picture = render(self.scene, self.state)
            self._width = picture.width
            self.picture.value = _png(picture)

    def open(self, index: int) -> None:
        """Open an entry; what of it is shown begins anew, how it is shown stays."""
        before = self.state
        try:
            self.scene = self.entries[index].open()
        except TrainlibError as error:
            self.scene = None
            title = html.escape(self.entries[index].title)
            self.details.value = f"<b>{title} cannot be shown</b><br>{html.escape(str(error))}"
            show_only(self.controls, ())
            self.picture.layout.display = "none"
            return
        self.state = ViewState.of(self.scene)
        if before is not None:
            self.state.carry_on(before, self.scene)
        self.picture.layout.display = None
        self.details.value = _table(self.scene.details)
        self._update()
        self.redraw()

    def _update(self, name: str = "") -> None:
        """Bring the controls to the state, after the one of a name was moved."""
        assert self.scene is not None
        assert self.state is not None
        self._updating = True
        try:
            update(self.controls, self.scene, self.state, name)
        finally:
            self._updating = False

    def _changed(self, name: str, value: Any) -> None:
        if self._updating:
            return
        if name == "entry":
            self.open(value)
            return
        scene, state = self.scene, self.state
        if scene is None or state is None:
            return
        if name in AXES:
            state.go(AXES[name], value - 1)
        elif name == "window":
            if not self._is_moved(value, state):
                return
            state.set_window(*value)
        elif name == "preset":
            state.choose_window(value, scene)
        else:
            setattr(state, name, value)
        if name == "channel":
            state.choose_window(state.preset, scene)
        if name in ("plane", "preset", "channel", "mode", "window"):
            self._update(name)
        self.redraw()

    def _is_moved(self, window: tuple[float, float], state: ViewState) -> bool:
        """Tell a move from the rounding to steps by which the browser answers a window that it was given."""
        step = 1.5 * self.controls["window"].step
        return any(abs(end - its) > step for end, its in zip(window, (state.low, state.high), strict=True))

    def _listen(self) -> None:
        """Follow the mouse wheel and the arrow keys over the picture, where ipyevents is installed."""
        if find_spec("ipyevents") is None:
            return
        from ipyevents import Event

        self._events = Event(
            source=self.picture,
            watched_events=["wheel", "keydown"],
            prevent_default_action=True,
            throttle_or_debounce="throttle",
            wait=_EVENTS,
        )
        self._events.on_dom_event(self._heard)

    def _heard(self, event: dict[str, Any]) -> None:
        """Move through the slices of the plane under the mouse."""
        steps = _KEYS.get(event.get("key", ""), 0)
        if event.get("type") == "wheel":
            steps = -1 if event.get("deltaY", 0) > 0 else 1
        if not steps or self.scene is None or self.state is None:
            return
        # Where there is no room for the picture, it is shown smaller than it was drawn.
        scale = self._width / float(event.get("boundingRectWidth") or self._width)
        axis = axis_at(self.scene, self.state, float(event.get("relativeX", 0)) * scale - MARGIN)
        for name, its in AXES.items():
            if its == axis:
                self.controls[name].value += steps


def _table(details: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><td style="padding-right:16px">{html.escape(n)}</td><td>{html.escape(v)}</td></tr>' for n, v in details
    )
    return f'<table style="line-height:1.5">{cells}</table>' if cells else ""
