"""Find what the CSVs list twice: a row, a file as image and label, a patient or an image in two splits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trainlib.config.schema import Config
from trainlib.data.table import shortened
from trainlib.errors import Problem

if TYPE_CHECKING:
    from trainlib.data.splits import Case


def repeated(config: Config, cases: list[Case], split: str) -> list[Problem]:
    """Find rows that list a case again; a label map of another rater makes another case of the same image."""
    first: dict[tuple[Any, ...], Case] = {}
    found: list[Problem] = []
    with_label = split != "predict" and config.task == "segmentation"
    for case in cases:
        other = first.setdefault((case.images, case.label if with_label else None), case)
        if other is not case:
            again = "image and label" if with_label else "image"
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
    for what in ("patient", "image"):
        first: dict[str, tuple[str, Case]] = {}
        found: list[Problem] = []
        for split, members in cases.items():
            for case in members:
                key = case.group if what == "patient" else str(case.images[0])
                if key is None:
                    continue
                other_split, other = first.setdefault(key, (split, case))
                if other_split != split:
                    text = f"{what} {key} is in {other.csv}:{other.row} too. Leave it in one split."
                    found.append(Problem(text, f"{case.csv}:{case.row}"))
        yield from shortened(found, "data")
