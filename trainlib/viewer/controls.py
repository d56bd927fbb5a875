"""The controls of the viewer as widgets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from trainlib.viewer.scene import Scene
from trainlib.viewer.state import AXES, BY_HAND, OWN, PLANES, WINDOWS, ViewState

_WIDTH = "888px"
_ROWS = (("plane",), tuple(AXES), ("preset", "window", "channel"), ("mode", "style", "opacity"))


def make_controls(titles: list[str]) -> tuple[dict[str, Any], list[Any]]:
    """Make all controls.

    Args:
        titles: Names of what can be opened.

    Returns:
        The controls by name, and the rows that they stand in.
    """
    import ipywidgets as widgets

    def layout(width: int) -> Any:
        return widgets.Layout(width=f"{width}px")

    def buttons(width: int) -> dict[str, str]:
        return {"button_width": f"{width}px"}

    label = {"description_width": "60px"}
    controls: dict[str, Any] = {
        "entry": widgets.Select(
            options=[(title, number) for number, title in enumerate(titles)],
            value=0,
            rows=min(10, max(2, len(titles))),
            layout=widgets.Layout(width=_WIDTH, max_width="100%"),
        ),
        "plane": widgets.ToggleButtons(options=PLANES, style=buttons(90)),
        **{axis: widgets.IntSlider(min=1, max=1, description=axis, style=label, layout=layout(290)) for axis in AXES},
        "preset": widgets.Dropdown(
            options=[OWN, BY_HAND, *WINDOWS], description="window", style=label, layout=layout(230)
        ),
        "window": widgets.FloatRangeSlider(readout_format=".4g", layout=layout(430)),
        "channel": widgets.Dropdown(options=[("0", 0)], description="channel", style=label, layout=layout(190)),
        "mode": widgets.ToggleButtons(options=["overlay", "side by side", "differences"], style=buttons(112)),
        "style": widgets.ToggleButtons(
            options=["outline", "fill"], style=buttons(80), layout=widgets.Layout(margin="2px 2px 2px 20px")
        ),
        "opacity": widgets.FloatSlider(
            min=0, max=1, step=0.05, description="opacity", style=label, layout=layout(260), readout_format=".2f"
        ),
    }
    flow = widgets.Layout(flex_flow="row wrap")
    rows = [widgets.HBox([controls[name] for name in row], layout=flow) for row in _ROWS]
    return controls, [*([controls["entry"]] if len(titles) > 1 else []), *rows]


def update(controls: dict[str, Any], scene: Scene, state: ViewState, moved: str = "") -> None:
    """Bring the controls to a state, and hide those that the scene has no use for.

    Args:
        controls: The controls.
        scene: What is open.
        state: What is shown of it.
        moved: Name of the control that was moved, if any.
    """
    for name, axis in AXES.items():
        if axis < len(state.shape):
            _set_range(controls[name], 1, state.shape[axis], state.positions[axis] + 1)
    if moved != "window":  # which must not change its range under the mouse
        own = scene.window(state.channel)
        low, high = min(own[0], state.low), max(own[1], state.high)
        room = high - low
        _set_range(controls["window"], low - room / 2, high + room / 2, (state.low, state.high), step=room / 500)
    colours = [("colours", None)] if scene.coloured else []
    controls["channel"].options = colours + [(str(i), i) for i in range(len(scene.image.values))]
    for name in ("plane", "preset", "channel", "opacity", "style", "mode"):
        controls[name].value = getattr(state, name)
    show_only(controls, _useful(scene, state))


def _useful(scene: Scene, state: ViewState) -> set[str]:
    """Name the controls that do something."""
    names = {"preset", "window"}
    if scene.dims == 3:
        names |= {"plane", *(AXES if state.plane == "all" else (state.plane,))}
    if len(scene.image.values) > 1:
        names.add("channel")
    if scene.label is not None or scene.prediction is not None:
        names |= {"style", "opacity"}
    if scene.label is not None and scene.prediction is not None:
        names.add("mode")
        if state.mode == "differences":
            names.remove("style")
    return names


def show_only(controls: dict[str, Any], names: Collection[str]) -> None:
    """Show the controls of these names, and the list of what can be opened."""
    for name, control in controls.items():
        control.layout.display = None if name in names or name == "entry" else "none"


def _set_range(control: Any, low: float, high: float, value: Any, step: float = 1) -> None:
    """Set bounds and value in an order in which none of them is refused."""
    with control.hold_sync():  # else the browser would bring the value into each bound that comes before it
        control.step = step
        if low > control.max:
            control.max = high
            control.min = low
        else:
            control.min = low
            control.max = high
        control.value = value
