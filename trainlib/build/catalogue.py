"""The index of all components and their keywords, kept between commands: names are checked without any import.

To import MONAI, torch and Lightning takes seconds. What a config may name follows from their versions, so that it is
found out once and kept in the user's cache folder.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import platformdirs

from trainlib.build.keywords import Keywords
from trainlib.build.kinds import MODULES, POSITIONAL, is_kind
from trainlib.build.types import numeric_keywords
from trainlib.errors import InputError
from trainlib.system.files import write_text

TRAINER = "trainer"
"""The kind under which the arguments of `lightning.Trainer` stand, by its name."""
_PACKAGES = ("lightning", "monai", "torch")


@dataclass(frozen=True)
class Entry:
    """A component and what may stand below its name.

    Attributes:
        keywords: Keyword -> its default as Python writes it, None where it has none.
        numbers: Keyword that takes numbers alone -> what to write, in words.
        is_open: Whether other keywords are passed on to a function that no signature tells of.
        alias: Whether it is another spelling, such as MONAI's `RandFlipDict`, that nobody is to be led to.
        summary: The first line of its documentation.
    """

    keywords: dict[str, str | None]
    numbers: dict[str, str]
    is_open: bool
    alias: bool
    summary: str


Catalogue = dict[str, dict[str, Entry]]
"""Kind of component -> name -> entry."""


@functools.cache
def catalogue() -> Catalogue:
    """Return the index of the packages that are installed; it is made and kept where there is none yet."""
    if (kept := kept_catalogue()) is not None:
        return kept
    made, mark = make_catalogue(), _mark()
    if mark is not None:
        with suppress(OSError, InputError):  # a folder that cannot be written to: it is made each time
            content = {kind: {name: asdict(entry) for name, entry in entries.items()} for kind, entries in made.items()}
            write_text(_place(), json.dumps({"mark": mark, "content": content}))
    return made


def kept_catalogue() -> Catalogue | None:
    """Return the index if it was made for the packages that are installed; imports none of them."""
    try:
        kept = json.loads(_place().read_text())
        if (mark := _mark()) is None or kept["mark"] != mark:
            return None
        content = kept["content"].items()
        return {kind: {name: Entry(**entry) for name, entry in entries.items()} for kind, entries in content}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):  # there is none, or it is damaged
        return None


def make_catalogue() -> Catalogue:
    """Import everything that a config may name, and list it."""
    from lightning import Trainer

    # The first module that has a name is the one in which it is looked up.
    made = {
        kind: {name: _entry(name, target, POSITIONAL.get(kind, 0)) for name, target in reversed(list(_targets(kind)))}
        for kind in MODULES
    }
    return {**made, TRAINER: {"Trainer": _entry("Trainer", Trainer)}}


def _targets(kind: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for module_name in MODULES[kind]:
        for name, target in vars(import_module(module_name)).items():
            if callable(target) and is_kind(kind, target):
                yield name, target


def _entry(name: str, target: Callable[..., Any], positional: int = 0) -> Entry:
    keywords = Keywords(target)
    keywords.pass_by_position(positional)
    return Entry(
        keywords={keyword: _default(keywords, keyword) for keyword in keywords.names},
        numbers=numeric_keywords(target),
        is_open=keywords.open,
        alias=name.startswith("_") or (inspect.isclass(target) and target.__name__ != name),
        summary=(inspect.getdoc(target) or "").strip().partition("\n")[0],
    )


def _default(keywords: Keywords, name: str) -> str | None:
    parameter = keywords.parameters.get(name)
    return None if parameter is None or parameter.default is inspect.Parameter.empty else repr(parameter.default)


def _place() -> Path:
    return Path(platformdirs.user_cache_dir("trainlib")) / "components.json"


def _mark() -> str | None:
    """Return what an index depends on, as one number; None where packages may change without a new version."""
    distributions = [Distribution.from_name(name) for name in _PACKAGES]
    if any('"editable"' in (distribution.read_text("direct_url.json") or "") for distribution in distributions):
        return None
    here = Path(__file__)
    sources = [here, *(here.with_name(f"{name}.py") for name in ("keywords", "kinds", "types"))]
    decisive = [sys.version, *(distribution.version for distribution in distributions)]
    return hashlib.sha256("\n".join([*decisive, *(source.read_text() for source in sources)]).encode()).hexdigest()
