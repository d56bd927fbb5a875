"""Label files: their values become class values, and what is not declared is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, LoadImage

from trainlib.build.readers import register_readers
from trainlib.build.roles import LABEL
from trainlib.config.schema import Config
from trainlib.data.unreadable import why_unreadable
from trainlib.errors import DataError

_MOST_VALUES = 5  # undeclared values named before the rest is left out


def map_labels(array: np.ndarray[Any, Any], values: Mapping[int, int], file: str) -> np.ndarray[Any, Any]:
    """Translate label values; values that are whole numbers but for rounding count as whole.

    Args:
        array: Label values as in the file, any shape.
        values: Value in the file -> class value.
        file: Name of the file, for the error.

    Returns:
        Class values, int16.

    Raises:
        DataError: A value is not a key of `values`; with the value and the number of its voxels.
    """
    found, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    whole = np.round(found)
    wrong = [
        f"{float(value):.7g} ({count} voxel{'s' if count > 1 else ''})"
        for value, near, count in zip(found, whole, counts, strict=True)
        if not np.isfinite(value) or abs(value - near) >= 1e-3 or int(near) not in values
    ]
    if wrong:
        raise DataError(
            f"the label {file} holds {', '.join(wrong[:_MOST_VALUES])}{' and more' if wrong[_MOST_VALUES:] else ''}, "
            "which data.classes and data.label_map do not declare; "
            f"declared are {', '.join(map(str, sorted(values)))}. Correct the file, or say in data.label_map "
            "what it stands for."
        )
    table = np.array([values[int(near)] for near in whole], dtype=np.int16)
    return table[inverse].reshape(array.shape)


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
        file = Path(str(label.meta.get("filename_or_obj", ""))).name if isinstance(label, MetaTensor) else "map"
        array = label.numpy() if isinstance(label, torch.Tensor) else np.asarray(label)
        mapped = torch.as_tensor(map_labels(array, self.values, file))
        return data | {LABEL: label.clone().copy_(mapped) if isinstance(label, torch.Tensor) else mapped}


def read_label(path: Path, config: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a label file as it is, its values translated to class values.

    Args:
        path: The label file.
        config: The config, for the label values and the number of dimensions.

    Returns:
        The label, shape (1, ...), in the voxel order of the file, and its affine.

    Raises:
        DataError: The file cannot be read, or holds a value that is not declared.
    """
    dims = config.data.spatial_dims
    register_readers()
    try:
        label = EnsureChannelFirst()(LoadImage(image_only=True)(str(path)))
    except Exception as error:
        raise DataError(f"the label {path.name} cannot be read: {why_unreadable(path, error)}") from error
    mapped = map_labels(label.numpy(), config.label_values, path.name)
    while mapped.ndim > dims + 1 and mapped.shape[-1] == 1:  # a single slice is often stored as (H, W, 1)
        mapped = mapped[..., 0]
    if mapped.ndim != dims + 1 or len(mapped) != 1:
        shape = f"{len(mapped)} channels of shape {mapped.shape[1:]}"
        raise DataError(f"the label {path.name} has {shape}, expected one channel and {dims} dimensions.")
    return torch.as_tensor(mapped), label.affine.to(torch.float64)
