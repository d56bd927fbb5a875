"""Go through the training cases once: files, base transforms and augmentation, for all checks that look at data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from monai.transforms import LoadImage

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import IMAGE, LABEL
from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.debug.finding import Check, Finding
from trainlib.debug.intensities import check_intensities, check_same_scale
from trainlib.debug.labels import check_classes, check_foreground
from trainlib.debug.mirrored import Move, check_mirrored, fits
from trainlib.debug.sheets import Shown
from trainlib.debug.statistics import Row, Statistics, describe, pooled
from trainlib.debug.together import Step, check_together, loaded

Prepared = dict[str, Any]
Item = dict[str, Any]


@dataclass
class Survey:
    """What was seen of the training cases.

    Attributes:
        config: The config.
        rows: Statistics of files, prepared cases and augmented windows.
        files: The cases.
        cases: The same after the base transforms, to be drawn.
        windows: The augmented windows, to be drawn, in the order in which the training gets them.
        fits: How well each label fits its image, in every position.
    """

    config: Config
    rows: list[Row] = field(default_factory=list)
    files: list[Case] = field(default_factory=list)
    cases: list[Shown] = field(default_factory=list)
    windows: list[Shown] = field(default_factory=list)
    fits: list[dict[Move, float]] = field(default_factory=list)

    def add_case(self, case: Case, prepared: Prepared) -> None:
        """Look at the files of a case and at what the base transforms make of them."""
        self.rows += [("file", key, case.name, found) for key, found in _files(case, self.config)]
        shown = Shown(
            case.name, prepared[IMAGE], prepared[LABEL], prepared["spacing"].tolist(), prepared["affine"].double()
        )
        self.files.append(case)
        self.cases.append(shown)
        self._describe("base", shown)
        if (found := fits(prepared[IMAGE], prepared[LABEL])) is not None:
            self.fits.append(found)

    def add_window(self, item: Item) -> None:
        """Look at an augmented window."""
        whole = next(case for case in self.cases if case.name == item["case"])
        shown = Shown(whole.name, item[IMAGE], item[LABEL], whole.spacing, whole.affine)
        self._describe("train", shown)
        self.windows.append(shown)

    def _describe(self, stage: str, shown: Shown) -> None:
        for key, channel in zip(self.channels, shown.image, strict=True):
            self.rows.append((stage, key, shown.name, describe(channel)))
        self.rows.append((stage, self._label, shown.name, describe(shown.label[0], label=True)))

    @property
    def channels(self) -> list[str]:
        """Names of the channels: those of their columns, numbered where a file holds several."""
        columns, count = self.config.data.image_cols, len(self.cases[0].image)
        if len(columns) == count:
            return columns
        name = columns[0] if len(columns) == 1 else "image"
        return [f"{name}[{i}]" for i in range(count)]

    @property
    def _label(self) -> str:
        return self.config.data.label_cols[0]

    def _of(self, stage: str, key: str) -> list[Statistics]:
        return [found for row_stage, row_key, _, found in self.rows if (row_stage, row_key) == (stage, key)]

    def checks(self) -> list[Check]:
        """List the checks of the data by their names."""
        classes = self.config.data.classes
        several = len(self.channels) > 1
        images = {
            f"{case} {key}" if several else case: found
            for stage, key, case, found in self.rows
            if stage == "base" and key in self.channels
        }
        labels = [found.values or () for stage in ("base", "train") for found in self._of(stage, self._label)]

        def scales(stage: str) -> list[Statistics]:
            return [pooled(self._of(stage, key)) for key in self.channels]

        return [
            ("classes", lambda: check_classes(labels, classes, len(self.cases))),
            ("foreground", lambda: check_foreground([window.label for window in self.windows])),
            ("orientation", lambda: check_mirrored(self.fits)),
            ("intensities", lambda: check_intensities(images)),
            ("same scale", lambda: check_same_scale(scales("base"), scales("train"), self.channels)),
            ("together (base)", lambda: self._together("base")),
            ("together (train)", lambda: self._together("train")),
        ]

    def _together(self, section: str) -> Finding:
        """Send a pattern in the place of the first case through a pipeline."""
        config, case, shown = self.config, self.files[0], self.cases[0]
        steps: Sequence[Step] = build_pipeline(config, section).transforms
        image, label = shown.image, shown.label
        if section == "base":
            images = [str(path) for path in case.images]
            data = {IMAGE: images[0] if len(images) == 1 else images, LABEL: str(case.label)}
            image, label, steps = loaded(steps, data, config.data.spatial_dims)
        return check_together(section, steps, image, label, len(config.data.classes), config.roi_size)


def _files(case: Case, config: Config) -> Iterator[tuple[str, Statistics]]:
    """Describe the files of a case as they are; those that only a transform of a patch can read are left out."""
    data = config.data
    keys: Sequence[str] = [*data.image_cols, data.label_cols[0]]
    for key, path in zip(keys, [*case.images, case.label], strict=True):
        try:
            values = torch.as_tensor(LoadImage(image_only=True, dtype=None)(str(path)))
        except Exception:
            continue
        yield key, describe(values, label=key == keys[-1])
