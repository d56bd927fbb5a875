"""Find images and labels in a folder that is laid out as most are."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from trainlib.commands.init.request import Request
from trainlib.config.defaults import CLASSIFICATION
from trainlib.data.formats import NIFTI, PICTURES
from trainlib.errors import InputError
from trainlib.words import listed

_IMAGES = ("images", "image", "imagesTr", "imgs", "img", "scans", "volumes")
LABELS = ("labels", "label", "labelsTr", "masks", "mask", "segmentations", "seg", "annotations")
_SUFFIXES = (*NIFTI[::-1], *PICTURES)
_CHANNEL = re.compile(r"_(\d{4})$")  # of nnU-Net's image files


def with_patterns(request: Request) -> Request:
    """Fill in the patterns of images and labels that the options leave out.

    Raises:
        InputError: Nothing in the folder has one of the usual names; it says what to name.
    """
    assert request.data is not None
    missing, found = [], request
    if not request.images:
        patterns = _patterns(request.data, _IMAGES, channels=True)
        found = replace(found, images=patterns)
        missing += [] if patterns else [f"images (looked for {listed(_IMAGES)}): --image 'PATTERN'"]
    if request.chosen_task == CLASSIFICATION:
        if request.label_csv is None:
            csv = _only_csv(request.data)
            found = replace(found, label_csv=csv)
            missing += [] if csv else ["exactly one CSV of the classes: --label-csv FILE"]
    elif request.label is None:
        patterns = _patterns(request.data, LABELS, channels=False)
        found = replace(found, label=patterns[0] if patterns else None)
        missing += [] if patterns else [f"labels (looked for {listed(LABELS)}): --label 'PATTERN'"]
    if missing:
        raise InputError(f"--data {request.data}: does not show what is what. Name {'; '.join(missing)}.")
    return found


def _patterns(data: Path, names: Iterable[str], *, channels: bool) -> tuple[str, ...]:
    """Make patterns for the first folder of one of the names that holds images; nothing where there is none."""
    for name in names:
        if not (data / name).is_dir():
            continue
        files = sorted(file for file in os.listdir(data / name) if not file.startswith("."))
        suffixes = Counter(suffix for file in files if (suffix := _suffix(file)))
        if not suffixes:
            continue
        suffix = suffixes.most_common(1)[0][0]
        stems = [file.removesuffix(suffix) for file in files if file.endswith(suffix)]
        numbers = [match[1] if (match := _CHANNEL.search(stem)) else "" for stem in stems]
        if channels and all(numbers) and 0 < numbers.count("0000") < len(stems):
            return tuple(f"{name}/*_{number}{suffix}" for number in sorted(set(numbers)))
        return (f"{name}/*{'_0000' if channels and set(numbers) == {'0000'} else ''}{suffix}",)
    return ()


def _suffix(file: str) -> str:
    return next((suffix for suffix in _SUFFIXES if file.endswith(suffix)), "")


def _only_csv(data: Path) -> Path | None:
    found = sorted(data.glob("*.csv"))
    return found[0] if len(found) == 1 else None
