from __future__ import annotations

import pytest

from trainlib.config.nesting import DEEPEST, Outline, outline


@pytest.mark.parametrize(
    ("text", "plain"),
    [("a: 1\n", False), ("- a\n", False), ("", False), ("null\n", False), ("~", False), ("# only\n", False),
     ("word\n", True), ("5\n", True), ("'a: b'\n", True), ("a: [\n", False), ("\x01", False)],
)  # fmt: skip
def test_a_single_value_is_told_from_settings_and_from_what_is_no_yaml(text: str, plain: bool) -> None:
    assert outline(text) == Outline(plain, None)


def test_the_line_that_goes_too_deep_is_found() -> None:
    assert outline("".join(" " * i + "a:\n" for i in range(DEEPEST + 5))).too_deep == DEEPEST + 1
    assert outline("x: 1\ny: " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)).too_deep == 2
    assert outline("[" * DEEPEST + "]" * DEEPEST).too_deep is None


def test_siblings_are_not_nested() -> None:
    assert outline("".join(f"a{i}: [[1]]\n" for i in range(1000))).too_deep is None
