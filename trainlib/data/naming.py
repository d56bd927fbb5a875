"""Names of cases, from the names of their files. Bundles bring this module along: it imports nothing of trainlib."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def unique_names(paths: Iterable[str]) -> list[str]:
    """Name each case after its file; where two files share a name, after the whole path, then by number.

    Names that differ in case alone count as shared, because they would be one file on some systems.
    """
    paths = [path.replace("\\", "/") for path in paths]
    stems = [_stem(path.rpartition("/")[2]) for path in paths]
    folded = Counter(stem.casefold() for stem in stems)
    names = [
        stem if folded[stem.casefold()] == 1 else _stem(path).strip("/.~").replace("/", "_")
        for stem, path in zip(stems, paths, strict=True)
    ]
    # A name that is a case's own must not be given to another as its numbered one.
    taken = {name.casefold() for name in names}
    seen: set[str] = set()
    numbers: Counter[str] = Counter()  # the last one that a name was given
    unique = []
    for name in names:
        key, candidate = name.casefold(), name
        while candidate.casefold() in seen or (candidate != name and candidate.casefold() in taken):
            numbers[key] = max(numbers[key], 1) + 1
            candidate = f"{name}_{numbers[key]}"
        seen.add(candidate.casefold())
        unique.append(candidate)
    return unique


def _stem(path: str) -> str:
    for suffix in (".nii.gz", ".gz"):
        if path.lower().endswith(suffix):
            return path[: -len(suffix)]
    head, dot, _ = path.rpartition(".")
    return head if dot and head and "/" not in path[len(head) :] else path
