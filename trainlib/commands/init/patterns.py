"""Find images and labels in a folder that is laid out as most are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.commands.init.request import Request
from trainlib.config.defaults import CLASSIFICATION
from trainlib.data.formats import NIFTI, PICTURES
from trainlib.errors import InputError
from trainlib.words import first_few, listed

_IMAGES = ("images", "image", "imagesTr", "imgs", "img", "scans", "volumes")
LABELS = ("labels", "label", "labelsTr", "masks", "mask", "segmentations", "seg", "annotations")
_SUFFIXES = (*NIFTI[::-1], *PICTURES)
_CHANNEL = re.compile(r"_(\d{4})$")  # of nnU-Net's image files
_BY_CLASS = "--label-folder where the folder of an image is named after its class"


def with_patterns(request: Request) -> Request:
    """Fill in what the options leave out: the patterns of images and label maps, or where the classes are told.

    Raises:
        InputError: Nothing in the folder has one of the usual names; it says what to name.
    """
    assert request.data is not None
    data, missing = request.data, []
    try:
        found = replace(request, images=request.images or _patterns(data, _IMAGES, "--image", channels=True))
        if request.chosen_task == CLASSIFICATION:
            found = _with_classes(found, data)
            missing += [] if found.label_csv or found.label_folder else [_no_classes()]
        elif request.label is None:
            labels = _patterns(data, LABELS, "--label", channels=False)
            found = replace(found, label=next(iter(labels), None))
            missing += [] if labels else [_no_labels(request)]
    except OSError as error:
        raise InputError(f"--data {data}: cannot be read: {describe(error)}.") from error
    if not found.images:
        missing = [f"images (looked for {listed(_IMAGES)}): --image 'PATTERN'", *missing]
    if missing:
        raise InputError(f"--data {data}: does not show what is what. Name {'; '.join(missing)}.")
    return found


def _no_classes() -> str:
    return f"exactly one CSV of the classes: --label-csv FILE, or {_BY_CLASS}"


def _no_labels(request: Request) -> str:
    """Say what is missing where label maps are expected; classes of whole images, unless they were asked for."""
    text = f"labels (looked for {listed(LABELS)}): --label 'PATTERN'"
    return text if request.task else f"{text}, or --task classification where whole images have a class"


def _with_classes(request: Request, data: Path) -> Request:
    """Find the classes of whole images: in the only CSV, else in the names of the folders that hold the images."""
    if request.label_csv is None and not request.label_folder:
        csvs = sorted(data.glob("*.csv"))
        if len(csvs) == 1:
            return replace(request, label_csv=csvs[0])
        by_class = () if csvs or request.images else _of_classes(data)
        return replace(request, images=by_class or request.images, label_folder=bool(by_class))
    return replace(request, images=request.images or _of_classes(data)) if request.label_folder else request


def _patterns(data: Path, names: Iterable[str], option: str, *, channels: bool) -> tuple[str, ...]:
    """Make patterns for the first folder of one of the names that holds images; nothing where there is none."""
    for name in names:
        files = _files(data / name)
        if not (wildcard := _wildcard(f"--data {data}: {name}", files, option)):
            continue
        suffix = wildcard.removeprefix("*")
        stems = [file.removesuffix(suffix) for file in files if suffix and file.endswith(suffix)]
        numbers = [match[1] if (match := _CHANNEL.search(stem)) else "" for stem in stems]
        # Several cases have a first channel; a single one is the first of cases that are numbered through.
        if channels and numbers and all(numbers) and numbers.count("0000") > 1:
            return tuple(f"{name}/*_{number}{suffix}" for number in sorted(set(numbers)))
        return (f"{name}/{wildcard}",)
    return ()


def _of_classes(data: Path) -> tuple[str, ...]:
    """Make a pattern for images in several folders, one for each class; nothing where there are none."""
    folders = sorted(entry.name for entry in os.scandir(data) if entry.is_dir() and not entry.name.startswith("."))
    holding = {name: files for name in folders if any(map(_suffix, files := _files(data / name)))}
    files = [file for its in holding.values() for file in its]
    wildcard = _wildcard(f"--data {data}: each of {first_few([*holding])}", files, "--image")
    return (f"*/{wildcard}",) if len(holding) > 1 else ()


def _files(folder: Path) -> list[str]:
    """List the files of a folder, if there is one."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))


def _wildcard(where: str, files: Sequence[str], option: str) -> str:
    """Write a wildcard that all images among some files match, and nothing else; nothing where there is none.

    Raises:
        InputError: There is no such wildcard.
    """
    suffixes = sorted({suffix for file in files if (suffix := _suffix(file))})
    if len(suffixes) < 2:
        return f"*{suffixes[0]}" if suffixes else ""
    if others := [file for file in files if not _suffix(file)]:
        text = f"holds {listed(suffixes)} files, and others such as {others[0]}. Name those that count with"
        raise InputError(f"{where}: {text} {option} 'PATTERN'.")
    return "*"


def _suffix(file: str) -> str:
    """Return the end of a name that tells an image, as it is written; nothing where none does."""
    return next((file[-len(suffix) :] for suffix in _SUFFIXES if file.lower().endswith(suffix)), "")
