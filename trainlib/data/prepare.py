"""Run the base transforms on the files of a case, and check what comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from monai.transforms import Compose, LoadImaged

from trainlib.build.patches import blame, describe
from trainlib.build.pipelines import build_pipeline, resolve_transform
from trainlib.build.roles import IMAGE, LABEL
from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.errors import DataError

Prepared = dict[str, Any]
"""A case after the base transforms, free of MetaTensors:

- ``image``: float32, shape (channels, ...);
- ``label``: uint8 (int16 from 257 classes on), shape (1, ...); absent without a label;
- ``spacing``: float64, mm per voxel of each axis;
- ``affine`` and ``operations``: the image's affine and what the transforms noted, to undo them.
"""

_FORMAT = 1  # of a prepared case on disk; a change makes old caches void


class Preparation:
    """The base transforms of a config, ready to be applied to cases.

    Args:
        config: The config.
        with_label: Whether cases have labels.
    """

    def __init__(self, config: Config, *, with_label: bool) -> None:
        self.config = config
        self.with_label = with_label
        self.pipeline = build_pipeline(config, "base", with_label=with_label)
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
        try:
            data = self.pipeline(data)
        except Exception as error:
            raise DataError(f"{case}: {explain_failure(error, self.config)}") from error
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
        affine = image.affine if isinstance(image, MetaTensor) else torch.eye(dims + 1)
        operations = image.applied_operations if isinstance(image, MetaTensor) else []
        prepared = {
            IMAGE: _plain_tensor(image).to(torch.float32),
            "spacing": torch.as_tensor(affine_to_spacing(affine.numpy(), r=dims), dtype=torch.float64),
            "affine": affine.to(torch.float64),
            "operations": [_plain(operation) for operation in operations],
        }
        if self.with_label:
            prepared[LABEL] = self._finish_label(data[LABEL], image, case)
        return prepared

    def _finish_label(self, label: torch.Tensor, image: torch.Tensor, case: Case) -> torch.Tensor:
        if label.shape[0] != 1:
            raise DataError(f"{case}: the label has {label.shape[0]} channels after transforms.base, expected 1.")
        if label.shape[1:] != image.shape[1:]:
            raise DataError(
                f"{case}: image and label differ in shape after transforms.base: {tuple(image.shape[1:])} and "
                f"{tuple(label.shape[1:])}. They must cover the same voxels."
            )
        return _plain_tensor(label).to(torch.uint8 if self.config.out_channels <= 256 else torch.int16)

    def fingerprint(self) -> str:
        """Describe everything but the files that the result depends on."""
        config = self.config
        steps = []
        for i, component in enumerate(config.transforms.base):
            resolved = resolve_transform(config, "base", i, component)
            steps.append([resolved.found.name, resolved.found.origin, resolved.kwargs])
        script = config.patch.transforms
        parts = {
            "format": _FORMAT,
            "steps": steps,
            "patch": hashlib.sha256(Path(script).read_bytes()).hexdigest() if script else None,
            "labels": sorted(config.label_values.items()) if self.with_label else None,
            "dims": config.data.spatial_dims,
            "monai": version("monai"),
        }
        return json.dumps(parts, sort_keys=True, default=str)


class MapLabels:
    """Translate the values in a label file to class values.

    Args:
        values: Value in the file -> class value.
    """

    def __init__(self, values: Mapping[int, int]) -> None:
        self.values = values

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Translate `data["label"]`.

        Raises:
            DataError: The label holds a value that is not declared.
        """
        label = data[LABEL]
        array = label.numpy() if isinstance(label, torch.Tensor) else np.asarray(label)
        mapped = torch.as_tensor(map_labels(array, self.values))
        data[LABEL] = label.clone().copy_(mapped) if isinstance(label, torch.Tensor) else mapped
        return data


def map_labels(array: np.ndarray[Any, Any], values: Mapping[int, int]) -> np.ndarray[Any, Any]:
    """Translate label values; values that are whole numbers but for rounding count as whole.

    Args:
        array: Label values as in the file, any shape.
        values: Value in the file -> class value.

    Raises:
        DataError: A value is not a key of `values`; with the value and the number of its voxels.
    """
    found, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    whole = np.round(found)
    wrong = [
        f"{float(value):g} ({count} voxels)"
        for value, near, count in zip(found, whole, counts, strict=True)
        if not abs(value - near) < 1e-3 or int(near) not in values
    ]
    if wrong:
        raise DataError(
            f"the label holds {', '.join(wrong[:5])}, which data.classes and data.label_map do not declare; "
            f"declared are {', '.join(map(str, sorted(values)))}. Correct the file, or say in data.label_map "
            "what it stands for."
        )
    table = np.array([values[int(near)] for near in whole])
    return table[inverse].reshape(array.shape)


def explain_failure(error: Exception, config: Config) -> str:
    """Say in one sentence why a pipeline failed: the transform, the first cause, the line in a patch script."""
    transform = ""
    cause: BaseException = error
    while cause.__cause__ is not None:
        # MONAI wraps the cause in "applying transform <...Name object at ...>".
        text = str(cause)
        if "applying transform" in text:
            transform = text.split("applying transform", 1)[1].strip(" <").split(" object")[0].rpartition(".")[2]
        cause = cause.__cause__
    if isinstance(cause, DataError):
        return str(cause)
    script = config.patch.transforms
    place = f" ({where})" if script and ":" in (where := blame(cause, script)).removeprefix(script) else ""
    return f"{transform or 'the pipeline'} failed{place}: {describe(cause)}."


def _insert_after_loading(pipeline: Compose, step: MapLabels) -> None:
    """Put `step` where the labels have just been loaded; behind a pipeline with a loader of its own, at the end."""
    steps = list(pipeline.transforms)
    at = next((i + 1 for i, t in enumerate(steps) if isinstance(t, LoadImaged) and LABEL in t.keys), len(steps))
    pipeline.transforms = (*steps[:at], step, *steps[at:])


def _plain_tensor(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.as_tensor() if isinstance(tensor, MetaTensor) else torch.as_tensor(tensor)
    return tensor.contiguous()


def _plain(value: Any) -> Any:
    """Reduce what a transform noted to tensors, numbers, texts and their containers, so that it is safe to load.

    MONAI identifies the transform by its address in memory; the name ``none`` lets it match in another process.
    """
    if isinstance(value, Mapping):
        items = {str(_plain(key)): item for key, item in value.items()}
        return {key: "none" if key == "id" else _plain(item) for key, item in items.items()}
    if isinstance(value, torch.Tensor):
        return _plain_tensor(value).clone()
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value).clone()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
