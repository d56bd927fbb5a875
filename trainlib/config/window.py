"""The window that the network sees: the size to which the pipelines bring an image last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from trainlib.config.sources import Key, dotted

if TYPE_CHECKING:
    from trainlib.config.schema import Config

_SIZES = ("roi_size", "spatial_size")
_DEFAULT = 64


class WindowSetting(NamedTuple):
    """The keyword that determines the window.

    Attributes:
        key: Where it stands.
        value: What it says.
    """

    key: Key
    value: Any


def window_setting(config: Config) -> WindowSetting | None:
    """Find the size of the last crop, pad or resize of `transforms.train`, else of `transforms.base`."""
    for section in ("train", "base"):
        components = getattr(config.transforms, section)
        for i, component in reversed(list(enumerate(components))):
            if not _sets_size(component.name):
                continue
            for keyword in _SIZES:
                if component.kwargs.get(keyword) is not None:
                    key: Key = ("transforms", section, i, component.name, keyword)
                    return WindowSetting(key, component.kwargs[keyword])
    return None


def _sets_size(name: str) -> bool:
    """Tell by its name, without its module, whether a transform cuts or fills up images to a size."""
    last = name.rpartition(".")[2].lower()
    return "crop" in last or "pad" in last or last == "resized"


def window_size(config: Config) -> list[int]:
    """Return the window in voxels; 64 along each axis where nothing, or nothing of use, determines it."""
    dims = config.data.spatial_dims
    setting = window_setting(config)
    return (setting and _as_size(setting.value, dims)) or [_DEFAULT] * dims


def window_mistakes(config: Config) -> Iterator[tuple[Key, str]]:
    """Name the key of a window that is no size."""
    dims = config.data.spatial_dims
    setting = window_setting(config)
    if setting is not None and _as_size(setting.value, dims) is None:
        text = f"expected {dims} positive integers, found {setting.value!r}: the window must have one size."
        yield setting.key, f"{dotted(setting.key)}: {text}"


def _as_size(value: Any, dims: int) -> list[int] | None:
    """Write a size out for each axis; None where it is none."""
    sizes = list(value) if isinstance(value, list | tuple) else [value] * dims
    fits = len(sizes) == dims and all(isinstance(size, int) and size > 0 for size in sizes)
    return sizes if fits and not any(isinstance(size, bool) for size in sizes) else None
