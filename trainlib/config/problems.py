"""From pydantic's list of errors to sentences with the key, what was expected, what was found and where."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.sources import Key, Sources, dotted
from trainlib.errors import Problem
from trainlib.suggest import did_you_mean, nearest


def explain(error: ValidationError, sources: Sources) -> dict[Key, Problem]:
    """Turn every error of a validation into a problem, keyed by the key that is wrong.

    Errors of the branches of a union (an integer or ``auto``) become one.
    """
    problems: dict[Key, Problem] = {}
    alternatives: dict[Key, list[str]] = {}
    for detail in error.errors(include_url=False):
        key = _key(detail["loc"])
        alternatives.setdefault(key, []).append(_expectation(detail))
        text = _sentence(detail, key, alternatives[key])
        problems[key] = Problem(text, sources.locate(key))
    return problems


def _key(loc: tuple[int | str, ...]) -> Key:
    """Leave out the parts of a location that name a branch of a union rather than a key."""
    key: list[int | str] = []
    annotation: Any = Config
    for part in loc:
        fields = _fields(annotation)
        if fields and part not in fields:
            return (*key, part)
        if fields is None and isinstance(part, str) and annotation is not None and not _is_mapping(annotation):
            break
        key.append(part)
        annotation = fields[str(part)].annotation if fields else _element(annotation)
    return tuple(key)


def _fields(annotation: Any) -> Any:
    """Return the fields of a section, or of the section in an optional one; None for anything else."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel) and candidate is not Component:
            return candidate.model_fields
    return None


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def _element(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments else None


def _expectation(detail: Any) -> str:
    message: str = detail["msg"]
    return message.removeprefix("Input should be ").removeprefix("a valid ").removeprefix("Value error, ")


def _sentence(detail: Any, key: Key, expectations: list[str]) -> str:
    name = dotted(key)
    match detail["type"]:
        case "extra_forbidden":
            return f"{name} is not a setting.{_nearest_setting(key)}"
        case "missing":
            return f"{name} is missing. {_description(key)}"
        case "classes" | "label_map":
            return f"{detail['msg']}."
    expected = " or ".join(dict.fromkeys(expectations))
    return f"{name}: expected {expected}, found {_found(detail['input'])}."


def _found(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) or len(repr(value)) < 60 else f"a {type(value).__name__}"
    return "nothing" if value is None else text


def _section(key: Key) -> Any:
    """Return the fields of the section at `key`."""
    fields: Any = Config.model_fields
    for part in key:
        fields = _fields(fields[str(part)].annotation) if part in fields else None
        if fields is None:
            return {}
    return fields


def _nearest_setting(key: Key) -> str:
    """Suggest a name in the same section; where none is near, the same name in another section."""
    *parent, name = key
    prefix = dotted(tuple(parent)) + "." if parent else ""
    siblings = _section(tuple(parent))
    if nearest(str(name), siblings):
        return did_you_mean(str(name), siblings, prefix)
    paths = {f"{section}.{field}": field for section in Config.model_fields for field in _section((section,))}
    if match := nearest(str(name), paths.values(), cutoff=0.8):
        return f" Did you mean {next(path for path, field in paths.items() if field == match)}?"
    return did_you_mean(str(name), siblings, prefix)


def _description(key: Key) -> str:
    """Say what a missing setting is for, from its docstring in the schema."""
    field = _section(key[:-1]).get(key[-1])
    return field.description if field and field.description else "Add it."
