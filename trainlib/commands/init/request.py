"""What `trainlib init` is asked for, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainlib.config.defaults import CLASSIFICATION, SEGMENTATION
from trainlib.errors import Problem


@dataclass(frozen=True)
class Request:
    """The options of the command.

    Attributes:
        folder: Folder of the project.
        task: ``segmentation`` or ``classification``; None follows from the labels.
        dims: Spatial dimensions; None follows from the files, and is 3 where there are none.
        data: Folder with images and labels.
        demo: Whether to generate data.
        images: A pattern for each image column, as `trainlib split` takes them; none are found by the usual names.
        label: Pattern of the label maps.
        label_csv: CSV that holds the classes.
        label_folder: Whether the folder of an image is named after its class.
        label_cols: Columns of the labels, as `trainlib split` takes them.
        group: Regular expression that finds the patient in a path.
        group_col: Column of `label_csv` that names the patient.
    """

    folder: Path
    task: str | None = None
    dims: int | None = None
    data: Path | None = None
    demo: bool = False
    images: tuple[str, ...] = ()
    label: str | None = None
    label_csv: Path | None = None
    label_folder: bool = False
    label_cols: tuple[str, ...] = ()
    group: str | None = None
    group_col: str | None = None

    @property
    def config(self) -> Path:
        """The config of the project."""
        return self.folder / "config.yaml"

    @property
    def data_folder(self) -> Path:
        """The folder of the project's own data, and of its CSVs."""
        return self.folder / "data"

    @property
    def chosen_task(self) -> str:
        """The task; what the options for the labels tell, where it is not given."""
        of_images = self.label_csv is not None or self.label_folder
        return self.task or (CLASSIFICATION if of_images else SEGMENTATION)

    @property
    def names_files(self) -> bool:
        """Whether the options tell images or labels."""
        return bool(self.images or self.label or self.label_csv or self.label_folder)

    def problems(self) -> list[Problem]:
        """Find what can be told from the options alone."""
        return [Problem(text) for text in (*self._folder_problems(), *self._data_problems(), *self._task_problems())]

    def _folder_problems(self) -> Iterator[str]:
        # The methods of `Path` raise for a name that is too long.
        for folder in (self.folder, self.data_folder):
            if os.path.exists(folder) and not os.path.isdir(folder):
                yield f"{folder}: expected a folder, found a file."
                return
        if self.data is not None and not os.path.isdir(self.data):
            yield f"--data {self.data}: there is no such folder."
        if os.path.exists(self.config):  # then no data are looked at
            return
        if self.demo and os.path.isdir(self.data_folder) and os.listdir(self.data_folder):
            yield f"--demo: {self.data_folder} holds files already. Choose another DIR, or name its data with --data."
        there = [name for name in ("train.csv", "valid.csv", "test.csv") if os.path.exists(self.data_folder / name)]
        if there and self.names_files:
            text = f"{self.data_folder} has {', '.join(there)} already. Leave the options for files out to use what is "
            yield f"{text}there, or move it away."
        elif there and self.data is not None and not {"train.csv", "valid.csv"} <= {*there}:
            text = f"{self.data_folder} has {', '.join(there)} alone. Add the CSVs that are missing of train.csv and "
            yield f"{text}valid.csv to use what is there, or move it away."

    def _data_problems(self) -> Iterator[str]:
        if self.demo and self.data is not None:
            yield "--demo and --data: a project has generated data or yours. Leave one out."
        options = {
            "--image": self.images,
            "--label": self.label,
            "--label-csv": self.label_csv,
            "--label-folder": self.label_folder,
            "--label-col": self.label_cols,
            "--group": self.group,
            "--group-col": self.group_col,
        }
        if self.data is None:
            yield from (f"{name}: name the folder of the data with --data." for name, value in options.items() if value)

    def _task_problems(self) -> Iterator[str]:
        if self.task == CLASSIFICATION and self.label is not None:
            yield "--label: label maps are for --task segmentation. Name the CSV of the classes with --label-csv."
        for name, value in {"--label-csv": self.label_csv, "--label-folder": self.label_folder}.items():
            if self.task == SEGMENTATION and value:
                yield f"{name}: classes of whole images are for --task classification. Name label maps with --label."
