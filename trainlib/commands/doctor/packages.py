"""What is installed, what it requires, and what of it cannot be imported."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import Distribution, distributions
from pathlib import Path

import trainlib
from trainlib.build.patches import describe
from trainlib.commands.doctor.combinations import compromised
from trainlib.commands.doctor.facts import Requirement

_IMPORTED = ("torch", "lightning", "monai", "numpy", "scipy", "skimage", "nibabel", "pandas", "omegaconf", "pydantic")
_ROOT = "trainlib"


def normal(name: str) -> str:
    """Write the name of a package as all its spellings are compared: ``PyYAML`` and ``pyyaml`` are one."""
    return re.sub("[-_.]+", "-", name).lower()


def _installed() -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    for dist in distributions():
        if name := dist.metadata["Name"]:
            found.setdefault(normal(name), dist)  # the first on the path is the one that is imported
    return found


def installed_versions() -> dict[str, str]:
    """Return the version of every installed package, and of the trainlib that runs even if it is not installed."""
    return {_ROOT: trainlib.__version__} | {name: dist.version for name, dist in _installed().items()}


def import_failures(packages: dict[str, str]) -> dict[str, str]:
    """Import what trainlib is built on, except what steals credentials when it is imported.

    Args:
        packages: Package -> installed version.

    Returns:
        Module -> why it cannot be imported.
    """
    failed: dict[str, str] = {}
    if found := compromised(packages):
        return {"lightning": f"{' and '.join(found)} must not be imported"}
    for name in _IMPORTED:
        try:
            import_module(name)
        except Exception as error:  # whatever a broken library raises
            failed[name] = describe(error)
    return failed


def requirements(packages: dict[str, str]) -> tuple[Requirement, ...]:
    """List what trainlib and, in turn, everything that it requires asks for on this machine.

    Args:
        packages: Package -> installed version.
    """
    from packaging.requirements import Requirement as Parsed

    installed = _installed()
    found, waiting, seen = [], [(_ROOT, frozenset[str]())], set()
    while waiting:
        by, extras = waiting.pop(0)
        if by not in installed or (by, extras) in seen:
            continue
        seen.add((by, extras))
        for text in installed[by].requires or ():
            parsed = Parsed(text)
            if parsed.marker and not any(parsed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                continue
            name = normal(parsed.name)
            version = packages.get(name, "")
            found.append(Requirement(by, f"{parsed.name}{parsed.specifier}", version))
            waiting.append((name, frozenset(parsed.extras)))
    return tuple(dict.fromkeys(found))


def missing_of_extras(packages: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """List the extras of trainlib with the packages that are missing for each.

    Args:
        packages: Package -> installed version.
    """
    from packaging.requirements import Requirement as Parsed

    dist = _installed().get(_ROOT)
    if dist is None:
        return {}
    asked = [Parsed(text) for text in dist.requires or ()]
    return {
        extra: tuple(
            parsed.name
            for parsed in asked
            if parsed.marker and parsed.marker.evaluate({"extra": extra}) and normal(parsed.name) not in packages
        )
        for extra in dist.metadata.get_all("Provides-Extra") or ()
    }


def tested_versions() -> dict[str, str]:
    """Read the versions that the tests passed with from ``constraints.txt``, which stands beside a checkout alone."""
    path = Path(trainlib.__file__).parent.parent / "constraints.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines) if version}
