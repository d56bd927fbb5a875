"""What `trainlib split` is asked for, and what is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from trainlib.data.pairing import column_names
from trainlib.data.pattern import Pattern
from trainlib.errors import Problem

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Request:
    r"""The options of the command.

    Attributes:
        folder: Folder of the data.
        images: A pattern for each image column, relative to the folder.
        label: Pattern of the label maps; None in classification.
        label_csv: CSV that holds the classes; None in segmentation.
        label_folder: Whether the folder of an image is named after its class.
        key: Column of `label_csv` that names the files; None finds it.
        label_cols: Columns of `label_csv` that hold classes; without it, what to call the column of the labels.
        names: What to call the image columns; by default after the patterns.
        group: Regular expression whose first capture group is the patient in the path of the first image.
        group_col: Column of `label_csv` that names the patient.
        valid: Share of the validation cases.
        test: Share of the test cases.
        seed: Another seed gives another division.
        out: Folder for the CSVs; by default the folder of the data.
        overwrite: Whether CSVs that are there may be replaced.
    """

    folder: Path
    images: tuple[str, ...]
    label: str | None = None
    label_csv: Path | None = None
    label_folder: bool = False
    key: str | None = None
    label_cols: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    group: str | None = None
    group_col: str | None = None
    valid: float = 0.15
    test: float = 0.15
    seed: int = 0
    out: Path | None = None
    overwrite: bool = False

    @property
    def patterns(self) -> list[Pattern]:
        """The patterns of the images, and last that of the labels where there is one."""
        images = [Pattern("--image", PurePath(text).as_posix()) for text in self.images]
        return images if self.label is None else [*images, Pattern("--label", PurePath(self.label).as_posix())]

    @property
    def image_cols(self) -> list[str]:
        """Names of the image columns."""
        return [*self.names] or column_names(self.patterns[: len(self.images)], "image")

    @property
    def shares(self) -> dict[str, float]:
        """Part -> its share of the cases; parts that are to hold none are left out."""
        shares = dict(zip(PARTS, (1 - self.valid - self.test, self.valid, self.test), strict=True))
        return {part: share for part, share in shares.items() if share > 0}

    @property
    def csvs(self) -> dict[str, Path]:
        """Part -> its CSV file, for all parts."""
        return {part: (self.out or self.folder) / f"{part}.csv" for part in PARTS}

    @property
    def group_column(self) -> str | None:
        """Name of the column of the patients; None where nothing tells them."""
        return self.group_col or ("group" if self.group else None)

    def problems(self) -> list[Problem]:
        """Find what can be told from the options alone."""
        found = [*self._folder_problems(), *self._label_problems(), *self._group_problems(), *self._column_problems()]
        if not (self.valid > 0 and self.test >= 0 and self.valid + self.test < 1):
            found.append(
                f"--valid {self.valid:g} --test {self.test:g}: expected shares between 0 and 1 that leave something "
                "for the training, as in --valid 0.15 --test 0.15; --test 0 makes no test set."
            )
        return [Problem(text) for text in found]

    def _folder_problems(self) -> Iterator[str]:
        # The methods of `Path` raise for a name that is too long.
        if not os.path.isdir(self.folder):
            yield f"{self.folder}: there is no such folder."
        if self.out is not None and os.path.exists(self.out) and not os.path.isdir(self.out):
            yield f"--out {self.out}: expected a folder, found a file."
        there = [str(path) for path in self.csvs.values() if os.path.exists(path)]
        if there and not self.overwrite:
            yield f"{', '.join(there)}: already there. Replace with --overwrite, or write elsewhere with --out."

    def _label_problems(self) -> Iterator[str]:
        if not self.images:
            yield "--image is missing. Name the images by a pattern, as in --image 'images/*.nii.gz'."
        yield from (pattern.problem for pattern in self.patterns if pattern.problem)
        if [self.label is not None, self.label_csv is not None, self.label_folder].count(True) != 1:
            yield (
                "Name either label maps, as in --label 'labels/*.nii.gz', or a CSV of classes by --label-csv, or have "
                "the class told by the folder of an image with --label-folder."
            )
        if self.label_csv is None:
            if self.key is not None:
                yield "--key: only --label-csv has columns."
            if len(self.label_cols) > 1:
                yield "--label-col: only a CSV of classes has several label columns, found several."
        elif not os.path.isfile(self.label_csv):
            yield f"--label-csv {self.label_csv}: there is no such file."
        elif any(os.path.exists(path) and path.samefile(self.label_csv) for path in self.csvs.values()):
            yield f"--label-csv {self.label_csv}: would be replaced itself. Write elsewhere with --out."

    def _group_problems(self) -> Iterator[str]:
        if self.group is not None and self.group_col is not None:
            yield "--group and --group-col both name the patient. Leave one out."
        if self.group_col is not None and self.label_csv is None:
            yield "--group-col: only --label-csv has columns. Find the patient in the file names by --group."
        if self.group is not None:
            try:
                if not re.compile(self.group).groups:
                    yield f"--group '{self.group}': put what names the patient in parentheses, as in 'patient_(\\d+)'."
            except re.error as error:
                yield f"--group '{self.group}': is no regular expression: {error}."

    def _column_problems(self) -> Iterator[str]:
        if self.names and len(self.names) != len(self.images):
            yield f"--name: expected one for each --image, {len(self.images)}, found {len(self.names)}."
        labels = [*self.label_cols] or ([] if self.label is None and not self.label_folder else ["label"])
        columns = [*(self.image_cols if self.images else ()), *labels, *filter(None, [self.group_column])]
        for name in dict.fromkeys(columns):
            if columns.count(name) > 1:
                yield f"two columns of the CSVs would be named {name!r}. Choose other names for the images with --name."
            if not name.strip() or name != name.strip():
                yield f"{name!r} cannot be the name of a column. Take the blanks away."
