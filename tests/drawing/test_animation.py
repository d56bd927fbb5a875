"""The GIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from trainlib.drawing.animation import thinned, write_gif

RED = (255, 0, 0)


def frames_of(path: Path) -> list[Image.Image]:
    with Image.open(path) as gif:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(gif)]


def durations_of(path: Path) -> list[int]:
    with Image.open(path) as gif:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    """Pictures of a bar that grows by a pixel in each."""
    paths = [tmp_path / f"{i:03d}.png" for i in range(200)]
    for i, path in enumerate(paths):
        picture = Image.new("RGB", (200, 30))
        picture.paste(RED, (0, 0, i + 1, 30))
        picture.save(path)
    return paths


def lengths(path: Path) -> list[int]:
    """The length of the bar in each picture of a GIF."""
    return [int((np.asarray(frame)[0] == RED).all(axis=-1).sum()) for frame in frames_of(path)]


def test_few_pictures_are_all_shown_and_the_last_one_is_held(frames: list[Path], tmp_path: Path) -> None:
    write_gif(frames[:6], tmp_path / "a.gif")
    assert lengths(tmp_path / "a.gif") == [1, 2, 3, 4, 5, 6]
    durations = durations_of(tmp_path / "a.gif")
    assert len(set(durations[:-1])) == 1
    assert durations[-1] == 3000


def test_it_repeats(frames: list[Path], tmp_path: Path) -> None:
    write_gif(frames[:3], tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0


def test_of_many_pictures_the_early_ones_and_the_last_are_shown(frames: list[Path], tmp_path: Path) -> None:
    write_gif(frames, tmp_path / "a.gif", most_frames=20)
    chosen = thinned(200, 20)
    assert lengths(tmp_path / "a.gif") == [i + 1 for i in chosen]
    assert len(chosen) <= 20
    assert (chosen[0], chosen[-1]) == (0, 199)
    assert np.diff(chosen)[0] < np.diff(chosen)[-1]


def test_a_file_that_would_be_too_large_gets_fewer_pictures(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(16)]
    for path in paths:
        gray = random.integers(0, 16, (60, 60, 1), dtype=np.uint8) * 16
        Image.fromarray(np.repeat(gray, 3, axis=-1)).save(path)
    write_gif(paths, tmp_path / "all.gif")
    limit = (tmp_path / "all.gif").stat().st_size // 3
    write_gif(paths, tmp_path / "few.gif", most_bytes=limit)
    assert (tmp_path / "few.gif").stat().st_size <= limit
    assert 2 <= len(frames_of(tmp_path / "few.gif")) < 16
    with Image.open(paths[-1]) as last:
        np.testing.assert_array_equal(np.asarray(frames_of(tmp_path / "few.gif")[-1]), np.asarray(last))


def test_two_hundred_pictures_of_a_changing_segmentation_stay_below_5_mb(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    still = random.integers(0, 255, (400, 700), dtype=np.uint8)
    paths = [tmp_path / f"{i:03d}.png" for i in range(200)]
    for i, path in enumerate(paths):
        picture = np.stack([still] * 3, axis=-1)
        picture[100:300, 100 : 101 + i] = (240, 110, 40)
        Image.fromarray(picture).save(path, compress_level=1)
    write_gif(paths, tmp_path / "a.gif")
    assert (tmp_path / "a.gif").stat().st_size < 5_000_000


def test_pictures_of_different_sizes_are_shown_on_one_canvas(tmp_path: Path) -> None:
    for name, size in (("a", (40, 30)), ("b", (60, 20))):
        Image.new("RGB", size, (200, 0, 0)).save(tmp_path / f"{name}.png")
    write_gif([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "c.gif")
    assert {frame.size for frame in frames_of(tmp_path / "c.gif")} == {(60, 30)}


def test_a_single_picture_makes_a_gif(frames: list[Path], tmp_path: Path) -> None:
    write_gif(frames[:1], tmp_path / "a.gif")
    assert len(frames_of(tmp_path / "a.gif")) == 1


def test_damaged_pictures_are_left_out(frames: list[Path], tmp_path: Path) -> None:
    frames[1].write_bytes(frames[1].read_bytes()[:40])
    frames[2].write_bytes(b"")
    write_gif(frames[:4], tmp_path / "a.gif")
    assert lengths(tmp_path / "a.gif") == [1, 4]
    write_gif(frames[1:3], tmp_path / "none.gif")
    assert not (tmp_path / "none.gif").exists()
