"""Checks of what is installed."""

from __future__ import annotations

from trainlib.commands.doctor.facts import Facts
from trainlib.commands.doctor.verdicts import broken, doubtful, fine
from trainlib.debug.finding import Finding
from trainlib.words import first_few

_SHOWN = ("lightning", "monai", "numpy", "nibabel", "pydantic", "omegaconf", "pandas")
_OLDEST_PYTHON = (3, 11)
_REINSTALL = (
    "Install trainlib into a fresh environment, in a clone of its repository: `python -m venv .venv`, then "
    "`.venv/bin/pip install -c constraints.txt .`."
)


def check_python(facts: Facts) -> Finding:
    """Compare Python's version with the oldest that trainlib runs on."""
    parts = tuple(int(part) for part in facts.python.split(".")[:2])
    if parts < _OLDEST_PYTHON:
        return broken("python", f"Python {facts.python} is too old.", "Install Python 3.11 or later.")
    return fine("python", f"Python {facts.python}, trainlib {facts.packages.get('trainlib', 'not installed')}")


def check_torch(facts: Facts) -> Finding:
    """Say which torch there is, and what it was built for."""
    if facts.torch is None:
        why = facts.failed.get("torch", "it is not installed")
        return broken("torch", f"torch cannot be imported: {why}.", _REINSTALL)
    build = f"CUDA {facts.torch.cuda}" if facts.torch.cuda else "no CUDA"
    build = f"ROCm {facts.torch.hip}" if facts.torch.hip else build
    cudnn = f", cuDNN {facts.torch.cudnn}" if facts.torch.cudnn else ""
    return fine("torch", f"torch {facts.torch.version} ({build}{cudnn})")


def check_imports(facts: Facts) -> Finding:
    """Say which packages cannot be imported."""
    failed = {name: why for name, why in facts.failed.items() if name != "torch"}
    if failed:
        text = "; ".join(f"{name}: {why}" for name, why in failed.items())
        return broken("packages", f"Some packages cannot be imported: {text}.", _REINSTALL)
    return fine("packages", ", ".join(f"{name} {facts.packages[name]}" for name in _SHOWN if name in facts.packages))


def check_requirements(facts: Facts) -> Finding:
    """Compare installed versions with what trainlib, and what it builds on, requires."""
    from packaging.requirements import Requirement

    wrong = []
    for required in facts.requirements:
        requirement = Requirement(required.text)
        if not required.installed:
            wrong.append(f"{required.by} requires {requirement.name}{requirement.specifier}, which is not installed")
        elif not requirement.specifier.contains(required.installed, prereleases=True):
            name = f"{requirement.name}{requirement.specifier}"
            wrong.append(f"{required.by} requires {name}, but {required.installed} is installed")
    if wrong:
        remedy = (
            "`pip install -c constraints.txt .` in a clone of trainlib puts most of it right; `pip check` lists it all."
        )
        return broken("requirements", f"{'; '.join(wrong[:4])}{_more(len(wrong) - 4)}.", remedy)
    if not facts.requirements:
        return fine("requirements", "not known, for trainlib runs without being installed")
    return fine("requirements", f"all {len(facts.requirements)} requirements are met")


def check_tested(facts: Facts) -> Finding | None:
    """Say how much of the environment is what trainlib was tested with; nothing where that is not known."""
    common = [name for name in facts.tested if name in facts.packages]
    if not common:
        return None
    others = [
        f"{name} {facts.packages[name]} (tested {facts.tested[name]})"
        for name in common
        if facts.packages[name].split("+")[0] != facts.tested[name]
    ]
    text = f"{len(common) - len(others)} of {len(common)} packages have the version of constraints.txt"
    return fine("tested set", f"{text}; others: {first_few(others, 4)}" if others else text)


def check_extras(facts: Facts) -> Finding | None:
    """Say which optional parts of trainlib are there; nothing where it has none."""
    if not facts.extras:
        return None
    texts = [
        f"{extra}: no (pip install '.[{extra}]' in a clone of trainlib)" if missing else f"{extra}: yes"
        for extra, missing in facts.extras.items()
    ]
    return fine("extras", ", ".join(texts))


def check_git(facts: Facts) -> Finding:
    """Look for git, with which the snapshot keeps the state of the user's project."""
    if facts.git:
        return fine("git", "found; snapshots keep commit and uncommitted changes")
    return doubtful("git", "There is no git: a run cannot keep the commit that your project was at.", "Install git.")


def _more(rest: int) -> str:
    return f"; and {rest} more" if rest > 0 else ""
