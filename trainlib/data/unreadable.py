"""Why a file cannot be read, in one sentence with what to do."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from trainlib.build.patches import describe

_AGAIN = "Copy or export it again, or take the row out."
# First bytes of a file -> what it is, and the suffixes of its name; MONAI goes by the name alone.
_KINDS: dict[bytes, tuple[str, tuple[str, ...]]] = {
    b"\x1f\x8b": ("compressed with gzip", (".gz",)),
    b"\x89PNG": ("a PNG picture", (".png",)),
    b"\xff\xd8\xff": ("a JPEG picture", (".jpg", ".jpeg")),
    b"BM": ("a BMP picture", (".bmp",)),
    b"II*\0": ("a TIFF picture", (".tif", ".tiff")),
    b"MM\0*": ("a TIFF picture", (".tif", ".tiff")),
    b"PK\x03\x04": ("a zip archive", (".zip", ".npz")),
    b"%PDF": ("a PDF document", (".pdf",)),
    b"<": ("a web page or XML", (".html", ".xml")),
    b"{": ("JSON", (".json",)),
}
_NIFTI_PAIR = b"ni1\0"  # of a header whose voxels are in a file beside it
_NIFTI_MAGIC = (b"n+1\0", b"n+2\0", _NIFTI_PAIR)
_BESIDE = {".hdr": ".img", ".img": ".hdr"}
_DICOM_MAGIC = b"DICM"


def unreadable_file(paths: Iterable[Path | None]) -> str:
    """Name the first file that MONAI cannot load, why, and what to do; nothing where all can be loaded."""
    from monai.transforms import LoadImage

    for path in filter(None, paths):
        try:
            LoadImage(image_only=True)(str(path))
        except Exception as error:
            return f"{path.name} cannot be read: {why_unreadable(path, error)}"
    return ""


def why_unreadable(path: Path, error: Exception) -> str:
    """Say why a file cannot be read, and what to do."""
    found, remedy = _reason(path, error)
    return f"{found}. {remedy}"


def reason(path: Path, error: Exception) -> str:
    """Say, as part of a sentence, why a file cannot be read."""
    return _reason(path, error)[0]


def reason_by_content(path: Path) -> str:
    """Say, as part of a sentence, what the content of a file or its permissions tell; nothing where they do not."""
    try:
        if path.stat().st_size == 0:
            return "it is empty"
        kind = _mistaken_kind(path)
    except OSError as refusal:
        return str(refusal.strerror)
    except ValueError as refusal:  # of a name that no file can have
        return str(refusal)
    if kind:
        return f"its content is {kind}, other than its name says"
    beside = _BESIDE.get(path.suffix)
    if beside and not os.path.isfile(path.with_suffix(beside)):
        return f"there is no {path.with_suffix(beside).name} beside it, which it belongs to"
    return ""


def _reason(path: Path, error: Exception) -> tuple[str, str]:
    """Find the reason, by the content of the file where that tells more than the error, and the remedy."""
    if found := reason_by_content(path):
        remedy = "Rename it, or take the row out." if "its name says" in found else _AGAIN
        return found, remedy
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror, _AGAIN
    said = describe(cause).replace(str(path), path.name)
    if "Cannot work out file type" in said:  # nibabel, of a header that is no header
        return f"it is damaged, or no {''.join(path.suffixes[-2:])} file", _AGAIN
    if isinstance(cause, EOFError | zlib.error) or re.search(r"truncated|Expected \d+ bytes", said):
        return f"it is cut off or damaged ({said})", _AGAIN
    if "cannot find a suitable reader" in str(error):
        remedy = "Convert it to NIfTI or, in 2-D, to PNG; or install a reader that MONAI knows, such as itk or pydicom."
        return f"there is no reader for files {path.suffix or 'without a suffix'}", remedy
    return said, _AGAIN


def _mistaken_kind(path: Path) -> str:
    """Tell what a file is by its content, where its name says otherwise."""
    name = path.name.lower()
    with path.open("rb") as file:
        start = file.read(348)
    for magic, (kind, suffixes) in _KINDS.items():
        if start.startswith(magic):
            return "" if name.endswith(suffixes) else kind
    if start[344:348] in _NIFTI_MAGIC:
        right = (".nii", ".hdr") if start[344:348] == _NIFTI_PAIR else ".nii"
        return "" if name.endswith(right) else "NIfTI that is not compressed"
    if start[128:132] == _DICOM_MAGIC:
        return "" if name.endswith((".dcm", ".dicom", ".ima")) else "DICOM"
    return "not a gzip file" if name.endswith(".gz") else ""
