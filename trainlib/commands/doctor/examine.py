"""The table of checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from trainlib.commands.doctor.accelerators import (
    check_architectures,
    check_gpu,
    check_gpu_memory,
    check_slowing_variables,
)
from trainlib.commands.doctor.combinations import (
    check_compromised,
    check_mps,
    check_slow_convolutions,
    check_tensorboard,
)
from trainlib.commands.doctor.facts import Facts
from trainlib.commands.doctor.resources import (
    check_cores,
    check_disks,
    check_memory,
    check_open_files,
    check_shared_memory,
)
from trainlib.commands.doctor.versions import (
    check_extras,
    check_git,
    check_imports,
    check_python,
    check_requirements,
    check_tested,
    check_torch,
)
from trainlib.debug.finding import Finding, made, ranked

CHECKS: dict[str, Callable[[Facts], Finding | None]] = {
    "python": check_python,
    "torch": check_torch,
    "packages": check_imports,
    "requirements": check_requirements,
    "tested set": check_tested,
    "extras": check_extras,
    "malware": check_compromised,
    "convolutions": check_slow_convolutions,
    "mps": check_mps,
    "tensorboard": check_tensorboard,
    "gpu": check_gpu,
    "gpu kernels": check_architectures,
    "gpu memory": check_gpu_memory,
    "variables": check_slowing_variables,
    "cpu": check_cores,
    "memory": check_memory,
    "open files": check_open_files,
    "shared memory": check_shared_memory,
    "git": check_git,
}
"""Name -> check; one that has nothing to say of a machine returns None."""
_NOTHING = Finding("", "ok", "")


def examine(facts: Facts) -> list[Finding]:
    """Make all checks.

    Args:
        facts: The machine.

    Returns:
        What was found, problems first, then warnings.
    """
    findings = made((name, partial(_checked, check, facts)) for name, check in CHECKS.items())
    return ranked([*(finding for finding in findings if finding != _NOTHING), *check_disks(facts)])


def _checked(check: Callable[[Facts], Finding | None], facts: Facts) -> Finding:
    return check(facts) or _NOTHING
