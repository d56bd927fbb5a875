"""Patterns of file names, and what their wildcards stand for in a file."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath

Key = tuple[str, ...]
"""What the wildcards of a pattern stand for in one file, such as ``("patient_01",)``."""

SUFFIXES = (
    ".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff",
    ".nrrd", ".mha", ".mhd", ".dcm", ".hdr", ".img", ".npy", ".npz", ".gz",
)  # fmt: skip
"""Ends of file names that say the format."""

_WILDCARD = re.compile(r"(?:^|(?<=/))\*\*/|\*+|\?|\[!?\]?[^\]/]*\]")


def without_suffix(name: str) -> str:
    """Take the suffix of an image file off a name or path, if it has one."""
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


@dataclass(frozen=True)
class Pattern:
    """A pattern of relative paths, with the wildcards of `glob`: ``*``, ``?``, ``[...]``, and ``**`` for folders.

    Attributes:
        option: The option of the command line that gave it, such as ``--image``.
        text: The pattern, with forward slashes and no ``./``.
    """

    option: str
    text: str

    def __str__(self) -> str:
        return f"{self.option} '{self.text}'"

    @property
    def problem(self) -> str:
        """What is wrong with it; empty if nothing is."""
        if self.text.startswith(("/", "~")) or PureWindowsPath(self.text).drive or ".." in self.text.split("/"):
            return f"{self}: expected a pattern that starts in the folder of the data, as in 'images/*.nii.gz'."
        if "[^" in self.text:
            return f"{self}: write [!0] for any character but 0; [^0] means it in some shells alone."
        if not self.wildcards:
            return (
                f"{self} names one file. Put * where the name of the case stands, and the pattern in quotes, so that "
                "the shell leaves it alone."
            )
        return ""

    @cached_property
    def pieces(self) -> tuple[tuple[str, bool], ...]:
        """The pattern cut into wildcards (True) and literal text (False); wildcards side by side are one."""
        pieces: list[tuple[str, bool]] = []
        end = 0
        for match in _WILDCARD.finditer(self.text):
            if literal := self.text[end : match.start()]:
                pieces.append((literal, False))
            if pieces and pieces[-1][1] and not pieces[-1][0].endswith("/"):
                pieces[-1] = (pieces[-1][0] + match[0], True)
            else:
                pieces.append((match[0], True))
            end = match.end()
        return (*pieces, *([(self.text[end:], False)] if self.text[end:] else []))

    @property
    def wildcards(self) -> int:
        """Number of wildcards."""
        return sum(is_wildcard for _, is_wildcard in self.pieces)

    @property
    def literals(self) -> int:
        """Number of characters that a file must have; the more, the narrower the pattern."""
        return sum(len(text) for text, is_wildcard in self.pieces if not is_wildcard)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        flags = re.IGNORECASE if os.name == "nt" else 0
        return re.compile("".join(f"({_regex(t)})" if w else re.escape(t) for t, w in self.pieces), flags | re.DOTALL)

    def files(self, folder: Path) -> dict[str, Key]:
        """Find the files that match, by their paths relative to `folder`, with forward slashes and in order."""
        found = sorted(path.replace(os.sep, "/") for path in glob.glob(self.text, root_dir=folder, recursive=True))
        return {path: self.key(path) for path in found if os.path.isfile(folder / path)}

    def key(self, path: str) -> Key:
        """Return what the wildcards stand for; folders of ``**`` without the last slash, file names without suffix."""
        match = self._expression.fullmatch(path)
        assert match is not None, f"{path} does not match {self.text}"
        *head, last = (text.strip("/") for text in match.groups())
        # In 'images/*.nii*' the last wildcard stands for nothing that belongs to the case.
        ends = ("", *SUFFIXES, *(suffix.lstrip(".") for suffix in SUFFIXES))
        last = "" if head and last.lower() in ends else without_suffix(last) or last
        return tuple(text for text in (*head, last) if text)

    def fill(self, key: Key) -> str | None:
        """Return the path that `key` would have; None where the pattern leaves it open."""
        if len(key) != self.wildcards:
            return None
        texts = iter(key)
        filled = "".join(next(texts) + "/" * piece.endswith("/") if w else piece for piece, w in self.pieces)
        return f"{filled}.*" if self.pieces[-1][1] else filled


def _regex(wildcards: str) -> str:
    """Translate wildcards that stand side by side."""
    if wildcards == "**/":
        return r"(?:[^/]+/)*"
    return "".join(_regex_of(match[0]) for match in _WILDCARD.finditer(wildcards))


def _regex_of(wildcard: str) -> str:
    if wildcard.startswith("["):
        # As `glob` itself translates it, without the anchor around it.
        translated = re.fullmatch(r"\(\?s:(.*)\)\\[Zz]", fnmatch.translate(wildcard), re.DOTALL)
        assert translated is not None
        return f"(?!/){translated[1]}"
    return {"?": "[^/]", "*": "[^/]*"}.get(wildcard, ".*")
