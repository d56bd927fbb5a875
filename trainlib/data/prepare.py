"""Run the base transforms on the files of a case, and check what comes out."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImaged

from trainlib.build.pipelines import build_pipeline, resolve_transform
from trainlib.build.roles import IMAGE, LABEL
from trainlib.config.defaults import SEGMENTATION
from trainlib.config.schema import Config
from trainlib.data.failures import explain_failure, wrong_result
from trainlib.data.grids import check_grid
from trainlib.data.labels import MapLabels, read_label
from trainlib.data.plain import plain, plain_tensor
from trainlib.data.positions import count_voxels
from trainlib.data.splits import Case
from trainlib.data.unreadable import unreadable_file
from trainlib.errors import DataError
from trainlib.memory import ran_out_of_memory
from trainlib.seeding import isolated_random_state

Prepared = dict[str, Any]
"""A case after the base transforms, free of MetaTensors:

- ``image``: float32, shape (channels, ...);
- ``label``: uint8 (int16 from 257 classes on), shape (1, ...); absent without a label;
- ``positions``: where the classes are, as `trainlib.data.positions.count_voxels` tells; only in what is kept;
- ``spacing``: float64, mm per voxel of each axis;
- ``affine`` and ``operations``: the image's affine and what the transforms noted, to undo them.
"""

_FORMAT = 4  # of a prepared case on disk; a change makes old caches void


class Preparation:
    """The base transforms of a config, ready to be applied to cases.

    Args:
        config: The config.
        with_label: Whether labels are transformed too; else a label that a case has is only checked.
    """

    def __init__(self, config: Config, *, with_label: bool) -> None:
        self.config = config
        self.with_label = with_label
        self.pipeline = build_pipeline(config, "base", with_label=with_label)
        # A loader of the user's own may make something of files that MONAI cannot read.
        self._loads = any(isinstance(step, LoadImaged) for step in self.pipeline.transforms)
        if with_label:
            _insert_after_loading(self.pipeline, MapLabels(config.label_values))

    def __call__(self, case: Case) -> Prepared:
        """Load and transform a case.

        Raises:
            DataError: A file cannot be read, a transform fails, a label value is not declared, or image and
                label do not fit each other.
        """
        # One file goes in as such: a list would make the reader stack channels.
        images = [str(path) for path in case.images]
        data: dict[str, Any] = {IMAGE: images[0] if len(images) == 1 else images}
        if self.with_label:
            data[LABEL] = str(case.label)
        files = (*case.images, case.label)
        try:
            for path in filter(None, files if self._loads else ()):
                check_grid(path, self.config.data.spatial_dims)
            if not self.with_label and case.label is not None:
                read_label(case.label, self.config)
            # The result is kept, so that it must not depend on when it is made.
            with isolated_random_state(0):
                self.pipeline.set_random_state(0)
                data = self.pipeline(data)
        except DataError as error:
            raise DataError(f"{case}: {error}") from error
        except Exception as error:
            # Many readers do not name the file.
            reason = unreadable_file(files) if self._loads and not ran_out_of_memory(error) else ""
            raise DataError(f"{case}: {reason or explain_failure(error, self.config)}") from error
        if isinstance(data, list):
            text = "transforms.base returned a list. What cuts several crops from a case belongs in transforms.train."
            raise DataError(f"{case}: {text}")
        if wrong := wrong_result(data, "base", with_label=self.with_label):
            raise DataError(f"{case}: {wrong}")
        return self._finish(data, case)

    def _finish(self, data: Mapping[str, Any], case: Case) -> Prepared:
        """Check the shapes, and strip the result to plain tensors."""
        image = data[IMAGE]
        dims = self.config.data.spatial_dims
        if image.ndim != dims + 1:
            raise DataError(
                f"{case}: the image has shape {tuple(image.shape)} after transforms.base, expected one channel axis "
                f"and {dims} spatial ones (data.spatial_dims)."
            )
        if image.shape[0] != self.config.in_channels:
            found = f"{image.shape[0]} channel{'s' if image.shape[0] != 1 else ''}"
            each = "one" if self.config.data.channels in (None, 1) else f"{self.config.data.channels} (data.channels)"
            raise DataError(
                f"{case}: the image has {found} after transforms.base, expected {self.config.in_channels}, {each} for "
                "each column of data.image_cols. A file must hold one volume or slice, as the first image of the CSV "
                "does where data.channels is left out; save those of a series as files of their own."
            )
        affine = image.affine if isinstance(image, MetaTensor) else torch.eye(dims + 1)
        operations = image.applied_operations if isinstance(image, MetaTensor) else []
        prepared = {
            IMAGE: plain_tensor(image).to(torch.float32),
            "spacing": spacing_of(affine, dims),
            "affine": affine.to(torch.float64),
            "operations": [plain(operation) for operation in operations],
        }
        if self.with_label:
            label = prepared[LABEL] = self._finish_label(data[LABEL], image, case)
            if self.config.data.cache != "none":
                prepared["positions"] = count_voxels(label, self.config.out_channels)
        return prepared

    def _finish_label(self, label: torch.Tensor, image: torch.Tensor, case: Case) -> torch.Tensor:
        if label.shape[0] != 1:
            raise DataError(
                f"{case}: the label has {label.shape[0]} channels after transforms.base, expected 1 that holds the "
                "class values. Save it as one map."
            )
        if label.shape[1:] != image.shape[1:]:
            raise DataError(
                f"{case}: image and label differ in shape after transforms.base: {tuple(image.shape[1:])} and "
                f"{tuple(label.shape[1:])}. They must cover the same voxels."
            )
        if isinstance(image, MetaTensor) and isinstance(label, MetaTensor):
            apart = distance(image.affine, label.affine, image.shape[1:])
            if apart > largest_distance(image.affine, image.ndim - 1):
                raise DataError(
                    f"{case}: image and label lie up to {apart:.1f} mm apart after transforms.base, by the affines in "
                    "their files. Correct the header of the one that is wrong."
                )
        return plain_tensor(label).to(torch.uint8 if self.config.out_channels <= 256 else torch.int16)

    def fingerprint(self) -> str:
        """Describe everything but the files that the result depends on."""
        config = self.config
        steps = []
        for i, component in enumerate(config.transforms.base):
            resolved = resolve_transform(config, "base", i, component)
            steps.append([resolved.found.name, resolved.found.origin, resolved.kwargs])
        script = config.patch.transforms
        # Labels are checked also where they are not transformed. Those of a classification are no files.
        values = sorted(config.label_values.items()) if config.task == SEGMENTATION else None
        parts = {
            "format": _FORMAT,
            "steps": steps,
            "patch": hashlib.sha256(Path(script).read_bytes()).hexdigest() if script else None,
            "labels": [self.with_label, values],
            "dims": config.data.spatial_dims,
            "channels": config.in_channels,  # checked when a case is prepared, and not when it is read again
            "monai": version("monai"),
        }
        return json.dumps(parts, sort_keys=True, default=str)


def spacing_of(affine: torch.Tensor, dims: int) -> torch.Tensor:
    """Return the voxel size of each of the first `dims` axes in mm.

    An image plane may lie in any direction of space, so that all rows of the affine count.
    """
    return affine[:-1, :dims].to(torch.float64).norm(dim=0)


def distance(affine: torch.Tensor, other: torch.Tensor, shape: Sequence[int]) -> float:
    """Measure how far apart two affines put the same voxel of an image at most, in mm; 0 for those of other axes."""
    affine, other = affine.to(torch.float64), other.to(torch.float64)
    if affine.shape != other.shape:
        return 0.0
    corners = torch.zeros(2 ** len(shape), len(affine), dtype=torch.float64)
    corners[:, -1] = 1
    corners[:, : len(shape)] = torch.tensor([*itertools.product(*((0, size - 1) for size in shape))])
    return float((corners @ (affine - other).T).norm(dim=1).max())


def largest_distance(affine: torch.Tensor, dims: int) -> float:
    """Return how far apart, in mm, image and label may lie once they are prepared: half a voxel."""
    return float(spacing_of(affine, dims).min()) / 2


def _insert_after_loading(pipeline: Compose, step: MapLabels) -> None:
    """Put `step` where the labels have just been loaded; behind a pipeline with a loader of its own, at the end."""
    steps = list(pipeline.transforms)
    at = next((i + 1 for i, t in enumerate(steps) if isinstance(t, LoadImaged) and LABEL in t.keys), len(steps))
    pipeline.transforms = (*steps[:at], step, *steps[at:])
