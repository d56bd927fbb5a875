"""Animations: pictures one after the other as a GIF of limited size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from trainlib.drawing.colours import BACKGROUND
from trainlib.system.files import atomic_path

MOST_FRAMES = 60
MOST_BYTES = 5_000_000
_SECONDS = 12.0  # that the whole shall take
_SLOWEST, _FASTEST, _HELD = 0.6, 0.12, 3.0  # seconds a frame is shown; the last one is held


def write_gif(
    frames: Sequence[Path], target: Path, *, most_frames: int = MOST_FRAMES, most_bytes: int = MOST_BYTES
) -> None:
    """Write pictures as a GIF that repeats; of many only some are taken, most of them from the beginning.

    Args:
        frames: Files of the pictures; smaller ones get a margin, and damaged ones are left out. Without any that can
            be read nothing is written.
        target: The GIF.
        most_frames: Number of pictures, at most.
        most_bytes: Size of the file; as long as it is larger, pictures are left out.
    """
    pictures = [picture for i in thinned(len(frames), most_frames) if (picture := _read(frames[i])) is not None]
    if not pictures:
        return
    pictures = _on_one_canvas(pictures)
    palette = _palette(pictures)
    reduced = [picture.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB") for picture in pictures]
    while True:
        size = _write(reduced, target)
        if size <= most_bytes or len(reduced) <= 2:
            return
        fitting = max(2, int(0.9 * len(reduced) * most_bytes / size))
        reduced = [reduced[i] for i in thinned(len(reduced), min(fitting, len(reduced) - 1))]


def thinned(count: int, most: int) -> list[int]:
    """Choose positions out of `count`: all, or those whose square roots lie evenly, the first and the last included.

    A network changes most in its first epochs.
    """
    if count <= most:
        return list(range(count))
    spaced = np.linspace(0, np.sqrt(count - 1), most) ** 2
    return sorted({round(float(position)) for position in spaced})


def _read(frame: Path) -> Image.Image | None:
    """Read a picture; None for one that is damaged."""
    try:
        with Image.open(frame) as picture:
            return picture.convert("RGB")
    except OSError:
        return None


def _write(pictures: Sequence[Image.Image], target: Path) -> int:
    """Write a GIF and return its size in bytes."""
    each = min(max(_SECONDS / len(pictures), _FASTEST), _SLOWEST) * 1000
    held = _HELD * 1000
    durations = [each] * (len(pictures) - 1) + [held] if len(pictures) > 1 else held
    with atomic_path(target) as temporary:
        stack = np.stack([np.asarray(picture) for picture in pictures])
        iio.imwrite(temporary, stack, extension=".gif", plugin="pillow", duration=durations, loop=0)
        return temporary.stat().st_size


def _on_one_canvas(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Give all pictures the size of the largest."""
    size = max(picture.width for picture in pictures), max(picture.height for picture in pictures)
    canvases = [Image.new("RGB", size, BACKGROUND) for _ in pictures]
    for canvas, picture in zip(canvases, pictures, strict=True):
        canvas.paste(picture, (0, 0))
    return canvases


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """Choose one palette for all: what does not change from picture to picture then takes no room in the file."""
    some = [pictures[i] for i in sorted({round(float(i)) for i in np.linspace(0, len(pictures) - 1, 5)})]
    width, height = some[0].size
    mosaic = Image.new("RGB", (width, height * len(some)))
    for i, picture in enumerate(some):
        mosaic.paste(picture, (0, i * height))
    return mosaic.quantize(128)
