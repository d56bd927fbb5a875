"""From pydantic's list of errors to sentences with the key, what was expected, what was found and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from trainlib.config.component import Component
from trainlib.config.meant import Written, colon_meant, component_meant, other_name, value_meant
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.errors import Problem
from trainlib.suggest import did_you_mean, nearest

# What pydantic's kinds of errors expect, in words that need no Python; `{...}` is filled from the error's context.
_EXPECTED = {
    "model_type": "settings of its own, one a line below it",
    "dict_type": "settings of its own, one a line below it",
    "list_type": "a list",
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "greater_than_equal": "a number not below {ge:g}",
    "less_than_equal": "a number not above {le:g}",
    "less_than": "a number below {lt}",
    "too_short": "at least {min_length} of them",
}
# Sections whose values are not repeated: someone may have written a token where the name of a file belongs.
_SECRET = ("pushover",)
PATTERNS = {
    "name": "a name without slashes that does not begin with a dot",
    "classes": "a name without slashes",
    "country": "an ISO 3166-1 alpha-3 code such as DEU",
}
"""Setting -> the form of text that it takes."""


def explain(error: ValidationError, written: Written) -> dict[Key, Problem]:
    """Turn every error of a validation into a problem, keyed by the key that is wrong.

    Errors of the branches of a union (an integer or ``auto``) become one.
    """
    problems: dict[Key, Problem] = {}
    alternatives: dict[Key, list[str]] = {}
    for detail in error.errors(include_url=False):
        key = _key(detail)
        alternatives.setdefault(key, []).append(_expectation(detail, key))
        text = _sentence(detail, key, alternatives[key], written)
        problems[key] = Problem(text, written.sources.locate(key))
    return problems


def _key(detail: Any) -> Key:
    """Leave out the parts of a location that name a branch of a union rather than a key.

    Keys of mappings become strings, to tell them from the items of lists.
    """
    key: list[int | str] = []
    annotation: Any = Config
    for part in detail["loc"]:
        fields = _fields(annotation)
        if fields and part not in fields:
            return (*key, str(part))
        if fields is None and isinstance(part, str) and annotation is not None and not _is_mapping(annotation):
            break
        key.append(str(part) if _is_mapping(annotation) else part)
        annotation = fields[str(part)].annotation if fields else _element(annotation)
    return tuple(detail.get("ctx", {}).get("key", key))  # a check of several settings says which one is wrong


def _fields(annotation: Any) -> Any:
    """Return the fields of a section, or of the section in an optional one; None for anything else."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            hidden = Component.model_fields if issubclass(candidate, Component) else ()
            return {name: field for name, field in candidate.model_fields.items() if name not in hidden} or None
    return None


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def _element(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments else None


def _expectation(detail: Any, key: Key) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "string_pattern_mismatch":
        named = [part for part in key if isinstance(part, str)]
        return PATTERNS.get(named[-1], "another form")
    if kind in _EXPECTED:
        return _EXPECTED[kind].format(**context)
    message: str = detail["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _sentence(detail: Any, key: Key, expectations: list[str], written: Written) -> str:
    name = dotted(key)
    match detail["type"]:
        case "extra_forbidden" | "invalid_key":
            return f"{name} is not a setting.{_nearest_setting(key, written)}"
        case "missing":
            return f"{name} is missing. Add it: {_description(key)}"
    expected = " or ".join(dict.fromkeys(expectations))
    found = detail.get("ctx", {}).get("found")
    value = detail["input"]
    if key[0] in _SECRET:
        return f"{name}: expected {expected}, found something else."
    if hint := component_meant(name, value, written):
        return f"{name}: expected one name with its keywords, found {', '.join(map(str, value))}.{hint}"
    told = f"{found or _found(value)}"
    end = "" if told.endswith("?") else "."  # that was a hint
    return f"{name}: expected {expected}, found {told}{end}{value_meant(detail['type'], value)}"


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, dict | list) or len(repr(value)) < 60:
        return repr(value)
    return "a list" if isinstance(value, list) else "a mapping"


def _section(key: Key) -> Any:
    """Return the fields of the section at `key`."""
    fields: Any = Config.model_fields
    for part in key:
        fields = _fields(fields[str(part)].annotation) if part in fields else None
        if fields is None:
            return {}
    return fields


def _settings() -> Iterator[tuple[str, str]]:
    """Yield the path and the last name of every setting, sections first."""
    yield from ((section, section) for section in Config.model_fields)
    for section in Config.model_fields:
        yield from ((f"{section}.{field}", field) for field in _section((section,)))
    yield from ((f"trainer.{name}", name) for name in Config.model_fields["trainer"].get_default())


def setting_paths() -> list[str]:
    """List all settings with their sections, as in ``data.root``."""
    return [path for path, _ in _settings()]


def _nearest_setting(key: Key, written: Written) -> str:
    """Suggest the same name in another section, a near one in the same section, or a near one in another."""
    *parent, last = key
    if hint := colon_meant(str(last)) or other_name(str(last), written.component("optimizer")):
        return hint
    name, siblings = str(last), [*_section(tuple(parent)), *([BUNDLE] if parent == ["model"] else [])]
    prefix = dotted(tuple(parent)) + "." if parent else ""
    elsewhere = [(path, field) for path, field in _settings() if path != f"{prefix}{field}"]
    exact = [path for path, field in elsewhere if field == name]
    if not exact and nearest(name, siblings):
        return did_you_mean(name, siblings, prefix)
    match = name if exact else nearest(name, [field for _, field in elsewhere], cutoff=0.8)
    if match is not None:
        return f" Did you mean {next(path for path, field in elsewhere if field == match)}?"
    return did_you_mean(name, siblings, prefix) or " `trainlib schema` lists all settings."


def _description(key: Key) -> str:
    """Say what a missing setting is for, from its docstring in the schema."""
    field = _section(key[:-1]).get(key[-1])
    return " ".join(field.description.split()) if field and field.description else "it is needed."
