"""The packages that a bundle needs beside MONAI and torch."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from trainlib.bundle.references import SCRIPTS
from trainlib.bundle.standalone import imported

log = logging.getLogger(__name__)

_ALWAYS = ("monai", "torch", "numpy", SCRIPTS)
_OF_MONAI = ("nibabel", "pytorch-ignite", "fire", "pyyaml", "scipy", "scikit-image", "einops", "pillow")
"""What MONAI asks for to run a bundle, and in its readers, transforms and networks once they are used."""
_OF_FORMATS = {".dcm": "pydicom", "": "pydicom", ".nrrd": "pynrrd", ".mha": "itk", ".mhd": "itk"}
"""Suffix of images -> what reads them, beside the above."""


@dataclass
class Requirements:
    """What must be installed.

    Attributes:
        versions: Package -> the version that the bundle was made with.
        strangers: Modules that are imported here, but belong to no package that pip installs.
    """

    versions: dict[str, str] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def requirements_of(folder: Path, used: Iterable[str], suffix: str) -> Requirements:
    """Find out what must be installed to run a bundle.

    Args:
        folder: The bundle.
        used: Dotted paths that its configs refer to.
        suffix: Suffix of the images.
    """
    sources = [path.read_text(encoding="utf-8") for path in sorted((folder / SCRIPTS).glob("*.py"))]
    modules = {name.partition(".")[0] for name in used} | {name for source in sources for name in imported(source)}
    usual = [*_OF_MONAI, *filter(None, [_OF_FORMATS.get(suffix)])]
    found = Requirements({name: known for name in usual if (known := _version(name))})
    packages = packages_distributions()
    for module in sorted(modules - {*_ALWAYS} - sys.stdlib_module_names):
        if names := packages.get(module):
            found.versions |= {name: version(name) for name in sorted(set(names)) if _normal(name) not in _OF_MONAI}
        elif find_spec(module) is not None:  # else it is optional: it was not needed in the training either
            found.strangers.append(module)
            log.warning("The bundle imports %s, which pip does not install. Hand it on as well.", module)
    return found


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
