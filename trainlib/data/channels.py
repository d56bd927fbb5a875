"""How many channels an image file has, from its header alone."""

from __future__ import annotations

from pathlib import Path

from trainlib.build.patches import describe
from trainlib.data.formats import is_nifti, is_picture
from trainlib.errors import DataError


def count_channels(path: Path, spatial_dims: int) -> int | None:
    """Count the channels that ``LoadImaged`` and ``EnsureChannelFirstd`` make of a file; no voxel is read.

    A picture has one for each of its bands: 1 for gray values and palettes (whose indices are read, not the
    colours), 3 for RGB, 4 for RGBA and CMYK. The fourth axis of a NIfTI file holds channels.

    Args:
        path: The image file.
        spatial_dims: Spatial dimensions of the images, 2 or 3.

    Returns:
        The channels of the file; None where they depend on further transforms, because the format is not one of
        these, or because the file has not as many spatial axes as the images.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        if is_nifti(path):
            return _count_nifti(path, spatial_dims)
        if is_picture(path):
            return _count_picture(path, spatial_dims)
    except Exception as error:  # many kinds: of nibabel, pillow, zlib and the file system
        raise DataError(f"{path.name} cannot be read: {describe(error)}.") from error
    return None


def _count_nifti(path: Path, spatial_dims: int) -> int | None:
    import nibabel as nib

    shape = nib.load(path).shape
    spatial = shape[:3]
    if len(shape) > 4 or len(spatial) < spatial_dims or any(size > 1 for size in spatial[spatial_dims:]):
        return None
    return int(shape[3]) if len(shape) == 4 else 1


def _count_picture(path: Path, spatial_dims: int) -> int | None:
    from PIL import Image

    with Image.open(path) as image:
        return len(image.getbands()) if spatial_dims == 2 else None
