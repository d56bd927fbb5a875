"""Is anything there twice: a patient or an image in two splits, a file in two rows, equal images under two names?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trainlib.check.finding import Finding
from trainlib.check.survey import Survey
from trainlib.data.repeats import in_two_splits, listed_again
from trainlib.data.splits import SPLITS_OF, Case

_LEAVE = "Leave it in one split: what was trained on must not be scored."


def shared_patients(survey: Survey) -> Iterator[Finding]:
    """Name the patients that are in two splits."""
    for case, other in in_two_splits(_splits(survey), lambda case: case.group):
        text = f"The patient {case.group} is in {other.csv}:{other.row} too, of another split."
        yield survey.finding("error", "patient in two splits", case, case.images[0], text, _LEAVE)


def repeated_cases(survey: Survey) -> Iterator[Finding]:
    """Name the rows that list a case of their split again, and those whose label is the image itself."""
    for cases in _splits(survey).values():
        for case, other in listed_again(cases):
            again = "image and label" if case.label is not None else "image"
            another = ", with another class" if other.target != case.target else ""
            text = f"Lists the {again} of {other.csv}:{other.row} again{another}."
            remedy = "Take one of the rows out: the case would count twice."
            yield survey.finding("error", "case listed twice", case, case.images[0], text, remedy)
    for _, case in _trained(survey):
        if case.label in case.images:
            text, remedy = "Image and label are one file.", "Name the label map."
            yield survey.finding("error", "image as label", case, case.label, text, remedy)


def repeated_files(survey: Survey) -> Iterator[Finding]:
    """Name the files that are listed twice, but not where the whole case is."""
    first: dict[tuple[Path, bool], tuple[str, Case]] = {}
    for split, case in _trained(survey):
        for path, is_label in [*((path, False) for path in case.images), (case.label, True)]:
            if path is None:
                continue
            key = (path, is_label)
            if key not in first:
                first[key] = (split, case)
                continue
            other_split, other = first[key]
            text = f"Is listed in {other.csv}:{other.row} too"
            if other == case and other_split == split:
                text, remedy = "Is listed twice in this row.", "Name another file in one of the columns."
                yield survey.finding("warning", "file listed twice", case, path, text, remedy)
            elif is_label:
                # Several images of a patient may well share a label; that of an image listed twice is told with it.
                if other.images[0] != case.images[0]:
                    remedy = "Nothing, where both images show the same; else name the label of this one."
                    text = f"{text}, as the label of another image."
                    yield survey.finding("warning", "label listed twice", case, path, text, remedy)
            elif other_split != split:
                yield survey.finding("error", "image in two splits", case, path, f"{text}, of another split.", _LEAVE)
            elif (other.images, other.label) != (case.images, case.label):
                remedy = "Nothing, where several people have labelled it; else take one of the rows out."
                yield survey.finding("warning", "file listed twice", case, path, f"{text}.", remedy)


def equal_images(survey: Survey) -> Iterator[Finding]:
    """Name the images that are equal, voxel by voxel, to one of another name."""
    first: dict[str, tuple[str, Case, Path]] = {}
    splits = survey.split_of
    for case, path, voxels in survey.voxels():
        split = splits[case]
        if voxels.constant or split not in SPLITS_OF["fit"]:
            continue
        other_split, other, other_path = first.setdefault(voxels.digest, (split, case, path))
        if other_path == path:
            continue
        text = f"Is equal, voxel by voxel, to {survey.name(other_path)} in {other.csv}:{other.row}"
        if other_split != split:
            yield survey.finding("error", "equal images", case, path, f"{text}, of another split.", _LEAVE)
        else:
            remedy = "Take one of them out, or name the file that was meant."
            yield survey.finding("warning", "equal images", case, path, f"{text}.", remedy)


def _splits(survey: Survey) -> dict[str, list[Case]]:
    """Return the splits of a training; what is to be predicted may be anything."""
    return {split: survey.splits[split] for split in SPLITS_OF["fit"] if split in survey.splits}


def _trained(survey: Survey) -> Iterator[tuple[str, Case]]:
    for split, cases in _splits(survey).items():
        for case in cases:
            yield split, case
