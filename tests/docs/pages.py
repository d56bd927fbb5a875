"""What the documentation shows: its blocks, its commands, its words in code."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
_NUMBERS = ("K", "N")  # which stand for some number


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: The page.
        line: Line of its fence.
        language: What the fence says.
        text: What is between the fences, without the indentation of a list.
    """

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A line of a shell.

    Attributes:
        where: Page and line, or page.
        words: Its words, without comments.
    """

    where: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where} {shlex.join(self.words)}"[:100]

    @property
    def trainlib(self) -> tuple[str, ...]:
        """The words behind ``trainlib``; none where something else is called."""
        return self.words[self.words.index("trainlib") + 1 :] if "trainlib" in self.words else ()

    @property
    def called(self) -> str:
        """What the line calls."""
        return self.words[0]


def _filled(word: str) -> str:
    """Put a number in the place of what stands for one."""
    return "3" if word in _NUMBERS else word.replace("$SLURM_ARRAY_TASK_ID", "3")


def blocks_of(page: Path) -> list[Block]:
    """List the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCED.finditer(text):
        inner = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(page, text[: match.start()].count("\n") + 1, match[2], inner))
    return found


def blocks(language: str) -> list[Block]:
    """List the blocks of a language on all pages."""
    return [block for page in PAGES for block in blocks_of(page) if block.language == language]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def in_code(page: Path) -> list[str]:
    """List what the prose of a page sets as code, such as a setting or a command."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def commands_in(block: Block) -> list[Command]:
    """List the commands of a block for the shell."""
    found = []
    for number, line in enumerate(block.text.replace("\\\n", " ").splitlines(), start=block.line + 1):
        if words := shlex.split(line, comments=True):
            found.append(Command(f"{block.page.name}:{number}", tuple(map(_filled, words))))
    return found


def commands() -> list[Command]:
    """List the commands of all blocks, and those of trainlib in the prose and in the tables."""
    shown = [command for block in blocks("sh") for command in commands_in(block)]
    spans = [(page, span) for page in PAGES for span in in_code(page) if span.startswith("trainlib ")]
    inline = [Command(page.name, tuple(map(_filled, shlex.split(span)))) for page, span in spans]
    return [*shown, *dict.fromkeys(inline)]
