"""Write predicted label maps so that they lie exactly over the images that they were predicted from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.transforms import MapTransform

from trainlib.data.formats import NIFTI, is_nifti, suffix_of


class SavePredictiond(MapTransform):
    """Writes each label map under the name of its case, with the format, shape, affine and units of its image.

    MONAI's own writer resamples, squeezes and renames by the metadata, which files of several channels and slices
    of one voxel do not survive.

    Args:
        keys: Key of the label map, shape (1, ...), in the voxel order of its image.
        output_dir: Folder for the files.
    """

    def __init__(self, keys: Any, output_dir: str) -> None:
        super().__init__(keys)
        self.folder = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the label map of every key."""
        for key in self.key_iterator(dict(data)):
            prediction = data[key]
            values = prediction[0].cpu().numpy()
            image = Path(prediction.meta["filename_or_obj"])
            target = self.folder / f"{data['case']}{suffix_of(image, values.ndim)}"
            if target.resolve() == image.resolve():
                raise FileExistsError(f"{target} is the image itself. Choose another --output_dir.")
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(target, values, image, np.asarray(prediction.affine))
        return dict(data)


def _write(target: Path, values: np.ndarray[Any, Any], image: Path, affine: np.ndarray[Any, Any]) -> None:
    few = values.max(initial=0) < 256
    if not target.name.endswith(NIFTI):
        from PIL import Image

        picture = np.ascontiguousarray(values.T.astype(np.uint8 if few else np.uint16))  # MONAI has x first
        Image.fromarray(picture).save(target)
        return
    values = values.astype(np.uint8 if few else np.int16)
    if not is_nifti(image):
        full = np.eye(4)
        rank = min(len(affine) - 1, 3)
        full[:rank, :rank], full[:rank, 3] = affine[:rank, :rank], affine[:rank, -1]
        nib.save(nib.Nifti1Image(values, full), target)
        return
    original = nib.load(image)
    if [size for size in values.shape if size != 1] != [size for size in original.shape if size != 1]:
        raise ValueError(f"{image}: the prediction has shape {values.shape} and the image {original.shape}.")
    header = original.header.copy()
    header.set_data_dtype(values.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0
    nib.save(type(original)(values.reshape(original.shape), original.affine, header), target)
