"""Sheets of pictures with captions, and their text."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from trainlib.drawing.colours import BACKGROUND, class_colour, colour_table
from trainlib.drawing.sheet import stack
from trainlib.drawing.text import font, write

RED, GREEN = (255, 0, 0), (0, 255, 0)


def find(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a colour in a picture."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=-1))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def block(colour: tuple[int, int, int], width: int) -> Image.Image:
    return Image.new("RGB", (width, 50), colour)


def test_pictures_stand_side_by_side_where_there_is_room() -> None:
    left, top, right, bottom = find(stack([block(RED, 300), block(GREEN, 300)], ["a", "b"]), RED)
    assert (right - left, bottom - top) == (299, 49)
    other = find(stack([block(RED, 300), block(GREEN, 300)], ["a", "b"]), GREEN)
    assert other[1] == top
    assert other[0] > right


def test_pictures_that_find_no_room_go_below() -> None:
    sheet = stack([block(RED, 500), block(GREEN, 500)], ["a", "b"])
    assert find(sheet, GREEN)[1] > find(sheet, RED)[3]
    assert find(sheet, GREEN)[0] == find(sheet, RED)[0]


def test_a_picture_wider_than_the_sheet_is_not_cut() -> None:
    left, _, right, _ = find(stack([block(RED, 900)], [""]), RED)
    assert right - left == 899


def test_captions_take_room_only_where_there_are_some() -> None:
    assert stack([block(RED, 10)], ["case"]).height > stack([block(RED, 10)], [""]).height


def test_the_legend_shows_every_class_but_the_background() -> None:
    sheet = np.asarray(stack([block(RED, 10)], [""], legend=["background", "liver", "tumour"]))
    for value in (1, 2):
        assert (sheet == class_colour(value)).all(axis=-1).sum() > 100


def test_a_legend_of_a_hundred_classes_stays_inside() -> None:
    names = [f"a rather long name of class {i}" for i in range(100)]
    assert stack([block(RED, 10)], [""], legend=names).width == 748


def test_a_line_that_is_too_long_ends_with_an_ellipsis() -> None:
    draw = ImageDraw.Draw(Image.new("RGB", (500, 30), BACKGROUND))
    assert write(draw, (0, 0), "hippocampus " * 20, width=200) <= 200
    assert write(draw, (0, 0), "short", width=200) == font(13).getlength("short")


def test_control_characters_are_written_as_spaces() -> None:
    draw = ImageDraw.Draw(Image.new("RGB", (100, 30), BACKGROUND))
    assert write(draw, (0, 0), "a\n\x00b") == font(13).getlength("a  b")


def test_colours_of_many_classes_differ() -> None:
    table = colour_table(60)
    assert len({tuple(colour) for colour in table.tolist()}) == 60
    assert table[0].tolist() == [0, 0, 0]
