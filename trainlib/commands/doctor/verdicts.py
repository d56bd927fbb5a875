"""How a check says what it found: in a sentence, and in the next line what to do."""

from __future__ import annotations

from trainlib.debug.finding import Finding


def fine(check: str, found: str) -> Finding:
    """Say that something is in order."""
    return Finding(check, "ok", found)


def doubtful(check: str, found: str, remedy: str) -> Finding:
    """Say that something slows a training down, or breaks some."""
    return Finding(check, "warning", f"{found}\n{remedy}")


def broken(check: str, found: str, remedy: str) -> Finding:
    """Say that something breaks a training."""
    return Finding(check, "problem", f"{found}\n{remedy}")
