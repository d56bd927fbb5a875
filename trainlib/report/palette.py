"""The colours of the charts, as names that the page's style gives a value for light and for dark."""

from __future__ import annotations

import re

from trainlib.drawing.colours import Colour, class_colour

INK, MUTED, GRID, ACCENT, CONTRAST, PAGE = (f"#00000{i}" for i in range(1, 7))
"""What stands for a colour while matplotlib draws, for it knows no variables of CSS."""

_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--rule)",
    ACCENT: "var(--accent)",
    CONTRAST: "var(--contrast)",
    PAGE: "var(--page)",
}
_PLACEHOLDER = re.compile(r"#0[01][0-9a-f]{4}")
_TONE = 0x010000
_MOST_TONES = 0xFFFF
_LIGHTEST, _DARKEST = 0.30, 0.14  # relative luminance of lines on white (contrast 3:1), and on black


def tone(value: int) -> str:
    """Return the placeholder of the colour of a class value."""
    return f"#{_TONE + min(value, _MOST_TONES):06x}"


def with_variables(style: str) -> str:
    """Put variables of CSS in the place of placeholders in an attribute of an SVG."""
    return _PLACEHOLDER.sub(lambda match: css(match.group()), style)


def css(placeholder: str) -> str:
    """Return what a placeholder is in CSS."""
    return _VARIABLES.get(placeholder) or f"var(--tone-{int(placeholder[1:], 16) - _TONE})"


def tones_css(count: int) -> str:
    """Define the colours of the class values 0 to `count`: those of the pictures, made to be seen on paper."""
    values = range(count + 1)
    light = "".join(f"--tone-{value}:{_hex(_toned(class_colour(value), _LIGHTEST, 0))};" for value in values)
    dark = "".join(f"--tone-{value}:{_hex(_toned(class_colour(value), 1, _DARKEST))};" for value in values)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def luminance(colour: Colour) -> float:
    """Compute the relative luminance of an sRGB colour, from 0 to 1, as WCAG 2 defines it."""
    linear = [v / 12.92 if (v := channel / 255) <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for channel in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _toned(colour: Colour, lightest: float, darkest: float) -> Colour:
    """Mix black or white into a colour until its luminance lies between two bounds."""
    target = 0 if luminance(colour) > lightest else 255
    for step in range(101):
        red, green, blue = (round(channel + (target - channel) * step / 100) for channel in colour)
        if darkest <= luminance((red, green, blue)) <= lightest:
            break
    return red, green, blue


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
