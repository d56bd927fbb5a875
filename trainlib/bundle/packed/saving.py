"""Write predicted label maps so that they lie exactly over the images that they were predicted from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.transforms import MapTransform

_NIFTI = (".nii.gz", ".nii")


class SavePredictiond(MapTransform):
    """Writes each label map under the name of its image, with the image's shape, affine and units.

    MONAI's own writer resamples, squeezes and renames by the metadata, which files of several channels and slices
    of one voxel do not survive.

    Args:
        keys: Key of the label map, shape (1, ...), in the voxel order of its image.
        output_dir: Folder for the files.
        suffix: Suffix of the files.
        classes: Number of classes; more than 256 need two bytes for each voxel.
    """

    def __init__(self, keys: Any, output_dir: str, suffix: str = ".nii.gz", classes: int = 2) -> None:
        super().__init__(keys)
        self.folder = Path(output_dir)
        self.suffix = suffix
        self.few = classes <= 256

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the label map of every key."""
        for key in self.key_iterator(dict(data)):
            prediction = data[key]
            image = Path(prediction.meta["filename_or_obj"])
            name = image.name
            stem = next((name[: -len(end)] for end in _NIFTI if name.lower().endswith(end)), image.stem)
            self.folder.mkdir(parents=True, exist_ok=True)
            target = self.folder / f"{stem}{self.suffix}"
            if target.resolve() == image.resolve():
                raise FileExistsError(f"{target} is the image itself. Choose another --output_dir.")
            self._write(target, prediction[0].cpu().numpy(), image, np.asarray(prediction.affine))
        return dict(data)

    def _write(self, target: Path, values: np.ndarray[Any, Any], image: Path, affine: np.ndarray[Any, Any]) -> None:
        if self.suffix not in _NIFTI:
            from PIL import Image

            picture = np.ascontiguousarray(values.T.astype(np.uint8 if self.few else np.uint16))  # MONAI has x first
            Image.fromarray(picture).save(target)
            return
        values = values.astype(np.uint8 if self.few else np.int16)
        if not image.name.lower().endswith(_NIFTI):
            full = np.eye(4)
            rank = min(len(affine) - 1, 3)
            full[:rank, :rank], full[:rank, 3] = affine[:rank, :rank], affine[:rank, -1]
            nib.save(nib.Nifti1Image(values, full), target)
            return
        original = nib.load(image)
        header = original.header.copy()
        header.set_data_dtype(values.dtype)
        header.set_slope_inter(1, 0)
        header["cal_min"], header["cal_max"] = 0, 0
        nib.save(type(original)(values.reshape(original.shape), original.affine, header), target)
