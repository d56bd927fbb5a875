"""Find what the CSVs list twice: a row, a file as image and label, a patient or an image in two splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trainlib.data.table import shortened
from trainlib.errors import Problem

if TYPE_CHECKING:
    from trainlib.data.splits import Case


def listed_again(cases: Iterable[Case]) -> Iterator[tuple[Case, Case]]:
    """Yield each case of a split that was listed before, and that one.

    A label map of another rater makes another case of the same image.
    """
    first: dict[tuple[Any, ...], Case] = {}
    for case in cases:
        other = first.setdefault((case.images, case.label), case)
        if other is not case:
            yield case, other


def in_two_splits(
    splits: Mapping[str, Iterable[Case]], key: Callable[[Case], str | None]
) -> Iterator[tuple[Case, Case]]:
    """Yield each case whose key, such as its patient, is in a split before, and the first that has it."""
    first: dict[str, tuple[str, Case]] = {}
    for split, cases in splits.items():
        for case in cases:
            if (name := key(case)) is not None:
                other_split, other = first.setdefault(name, (split, case))
                if other_split != split:
                    yield case, other


def repeated(cases: list[Case]) -> list[Problem]:
    """Find rows that list a case again."""
    found = []
    for case, other in listed_again(cases):
        again = "image and label" if case.label is not None else "image"
        other_class = " with another class" if other.target != case.target else ""
        text = f"lists the {again} of row {other.row} again{other_class} ({case.images[0].name}). Take one out."
        found.append(Problem(text, f"{case.csv}:{case.row}"))
    return shortened(found, cases[0].csv) if found else []


def labels_for_images(cases: list[Case]) -> list[Problem]:
    """Find rows whose label is the image itself."""
    found = [
        Problem(f"image and label are one file ({case.images[0].name}). Name the label map.", f"{case.csv}:{case.row}")
        for case in cases
        if case.label in case.images
    ]
    return shortened(found, cases[0].csv) if found else []


def shared(cases: dict[str, list[Case]]) -> Iterator[Problem]:
    """Find patients and images that are in more than one split."""
    keys: dict[str, Callable[[Case], str | None]] = {
        "patient": lambda case: case.group,
        "image": lambda case: str(case.images[0]),
    }
    for what, key in keys.items():
        found = [
            Problem(
                f"{what} {key(case)} is in {other.csv}:{other.row} too. Leave it in one split.",
                f"{case.csv}:{case.row}",
            )
            for case, other in in_two_splits(cases, key)
        ]
        yield from shortened(found, "data")
