"""Find the files of each case in a folder: those belong together whose names vary alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainlib.data.pattern import Key, Pattern, without_suffix
from trainlib.errors import DataError, Problem

_UNREADABLE = "a name with blanks at an end, a leading ~ or bytes that are no text is lost in a CSV. Rename it."
_Files = dict[Key, list[str]]


@dataclass(frozen=True)
class Files:
    """The files of one case.

    Attributes:
        name: What the wildcards of the patterns stand for, with slashes between them where there are several.
        paths: A path for each pattern, relative to the folder of the data, with forward slashes.
    """

    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Pairing:
    """What was found.

    Attributes:
        cases: The cases that are complete, in the order of their names.
        left_out: A sentence for each file that belongs to no complete case.
    """

    cases: list[Files]
    left_out: list[str]


def pair_files(folder: Path, patterns: Sequence[Pattern]) -> Pairing:
    """Pair the files of a folder.

    Files belong together if what the wildcards of their patterns stand for is the same: ``images/*.nii.gz`` and
    ``labels/*_seg.nii.gz`` pair ``images/p1.nii.gz`` with ``labels/p1_seg.nii.gz``. A file that several patterns match
    belongs to the narrowest.

    Args:
        folder: The folder of the data.
        patterns: One for each column.

    Raises:
        DataError: A pattern cannot be used or matches no file, or not one case is complete.
    """
    if problems := [Problem(pattern.problem) for pattern in patterns if pattern.problem]:
        raise DataError(problems)
    found = [pattern.files(folder) for pattern in patterns]
    if problems := [Problem(_unmatched(p, folder)) for p, files in zip(patterns, found, strict=True) if not files]:
        raise DataError(problems)
    paths = sorted({path for files in found for path in files})
    if problems := [Problem(f"{path!a}: {_UNREADABLE}") for path in paths if not _stands_in_csv(path)]:
        raise DataError(problems)
    found = _claimed(found, patterns)
    columns = [_by_key(files, shorten=len({p.wildcards for p in patterns}) > 1) for files in found]
    keys = sorted({key for column in columns for key in column})
    complete = [key for key in keys if all(len(column.get(key, ())) == 1 for column in columns)]
    if not complete:
        raise DataError(_nothing_paired(columns, patterns))
    cases = [Files("/".join(key), tuple(column[key][0] for column in columns)) for key in complete]
    rest = sorted(set(keys) - set(complete))
    return Pairing(cases, [sentence for key in rest for sentence in _left_out(key, columns, patterns)])


def column_names(patterns: Sequence[Pattern], single: str) -> list[str]:
    """Name columns after what their patterns differ in, as ``t1`` and ``flair`` for ``*_t1.nii`` and ``*_flair.nii``.

    Args:
        patterns: The patterns.
        single: Name of the column where there is one pattern, and what a number is appended to.
    """
    if len(patterns) == 1:
        return [single]
    words = [re.findall(r"[^\W_]+", without_suffix(pattern.text)) for pattern in patterns]
    while all(words) and len({word[0] for word in words}) == 1:
        words = [word[1:] for word in words]
    while all(words) and len({word[-1] for word in words}) == 1:
        words = [word[:-1] for word in words]
    names = ["_".join(word) for word in words]
    names = [name if name[:1].isalpha() else f"{single}_{name}".rstrip("_") for name in names]
    return names if len(set(names)) == len(names) else [f"{single}_{number}" for number in range(len(names))]


def _claimed(found: list[dict[str, Key]], patterns: Sequence[Pattern]) -> list[dict[str, Key]]:
    """Leave each file to the narrowest of the patterns that match it."""
    narrowest: dict[str, int] = {}
    shared: dict[tuple[int, int], str] = {}
    for number, files in enumerate(found):
        for path in files:
            other = narrowest.setdefault(path, number)
            if patterns[number].literals > patterns[other].literals:
                narrowest[path] = number
            elif other != number and patterns[number].literals == patterns[other].literals:
                shared.setdefault((other, number), path)
    if shared:
        raise DataError(
            Problem(f"{patterns[first]} and {patterns[second]} both match {path}. Make one of them narrower.")
            for (first, second), path in shared.items()
        )
    kept = [{p: key for p, key in files.items() if narrowest[p] == number} for number, files in enumerate(found)]
    if problems := [
        Problem(f"{pattern}: matches no file but those of narrower patterns.")
        for pattern, files in zip(patterns, kept, strict=True)
        if not files
    ]:
        raise DataError(problems)
    return kept


def _by_key(files: dict[str, Key], *, shorten: bool) -> _Files:
    """Sort files by what varies in them.

    Args:
        files: Path -> key.
        shorten: Whether texts that repeat the one before are left out, so that ``*/*_t1.png`` fits ``labels/*.png``.
    """
    keyed = defaultdict(list)
    for path, key in files.items():
        short = tuple(text for text, before in zip(key, ("", *key), strict=False) if text != before)
        keyed[short if shorten else key].append(path)
    return dict(keyed)


def _stands_in_csv(path: str) -> bool:
    """Tell whether a path comes back from a CSV as it is: without blanks lost, or a ``~`` taken for the home folder."""
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes of the file system that are no text
        return False
    return path == path.strip() and not path.startswith("~")


def _unmatched(pattern: Pattern, folder: Path) -> str:
    start = folder.as_posix().rstrip("/") + "/"
    if pattern.text.startswith(start):
        return f"{pattern}: matches no file, for patterns start in {folder}. Leave {start} out."
    return f"{pattern}: matches no file in {folder}."


def _nothing_paired(columns: Sequence[_Files], patterns: Sequence[Pattern]) -> str:
    """Show what the patterns make of one file each, for there lies the mistake."""
    seen = []
    for pattern, column in zip(patterns, columns, strict=True):
        key, [path, *more] = next(iter(column.items()))
        count = sum(map(len, column.values()))
        others = f", like {len(more)} more," if more else ""
        seen.append(f"{pattern} found {count} file{'s' * (count != 1)}, and in {path}{others} * is '{'/'.join(key)}'")
    return f"No files belong together: {'; '.join(seen)}. Write the patterns so that * is the same for the same case."


def _left_out(key: Key, columns: Sequence[_Files], patterns: Sequence[Pattern]) -> list[str]:
    """Say of each file of a case that is not complete what it lacks."""
    doubled = [
        f"{' and '.join(column[key])} are both '{'/'.join(key)}' of {pattern}: the case is left out. Rename one, or "
        "make the pattern narrower."
        for column, pattern in zip(columns, patterns, strict=True)
        if len(column.get(key, ())) > 1
    ]
    missing = [
        f"{pattern.fill(key) or 'file for ' + '/'.join(key)} ({pattern})"
        for column, pattern in zip(columns, patterns, strict=True)
        if key not in column
    ]
    if not missing:
        return doubled
    paths = [path for column in columns if len(column.get(key, ())) == 1 for path in column[key]]
    return [*doubled, *(f"{path}: there is no {' and no '.join(missing)}." for path in paths)]
