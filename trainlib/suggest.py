"""Near-miss hints for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Find the candidate that `name` was probably meant to be.

    Args:
        name: The name as the user wrote it.
        candidates: The names that exist.
        cutoff: The least similarity, from 0 (anything) to 1 (equal), of a hint.

    Returns:
        The most similar candidate, letter case ignored, or None where none is similar enough.
    """
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    matches = get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, candidates: Iterable[str], prefix: str = "") -> str:
    """Say the nearest name as a question, or list the choices where they are few.

    Args:
        name: The name as the user wrote it.
        candidates: The names that exist.
        prefix: What stands before the name where the user has to write it, such as ``data.``.

    Returns:
        A sentence that begins with a space, or nothing.
    """
    names = sorted(set(candidates))
    if best := nearest(name, names):
        return f" Did you mean {prefix}{best}?"
    if 0 < len(names) <= 12:
        return f" Choose from: {', '.join(names)}."
    return ""
