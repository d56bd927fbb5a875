"""Compare values of a config with the types that a signature is annotated with."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from trainlib.config.meant import comma_meant

_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a string", type(None): "null"}
_PLURALS = {int: "integers", float: "numbers", bool: "true or false", str: "strings"}
_NUMERIC = (int, float, bool, type(None))


def type_hints(target: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function, or of a class's constructor; none where they cannot be resolved."""
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except Exception:  # names that only a type checker imports
        return {}


def wrong_types(target: Callable[..., Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each keyword whose value has not the annotated type, with what is wrong with it.

    Annotations are not always exact, so that this is a reason to give for what was refused, not to refuse it.
    """
    hints = type_hints(target)
    for name, value in kwargs.items():
        if name in hints and not fits(value, hints[name]):
            yield name, f"expected {in_words(hints[name])}, found {_found(value)}.{comma_meant(value)}"


def numeric_keywords(target: Callable[..., Any]) -> dict[str, str]:
    """Return the keywords that are annotated with numbers alone, each with what it expects in words.

    Those of MONAI and torch only: other packages and scripts may make use of a text all the same.
    """
    if not (getattr(target, "__module__", None) or "").startswith(("monai.", "torch.")):
        return {}
    return {name: in_words(hint) for name, hint in type_hints(target).items() if _is_numeric(hint)}


def texts_for_numbers(numeric: Mapping[str, str], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each keyword that has a text where numbers are needed, with what is wrong with it.

    Args:
        numeric: As `numeric_keywords` returns it.
        kwargs: The keywords in the config.
    """
    for name, value in kwargs.items():
        if name in numeric and _holds_text(value):
            yield name, f"expected {numeric[name]}, found {_found(value)}.{comma_meant(value)}"


def fits(value: Any, annotation: Any) -> bool:
    """Tell whether a value that was read from YAML has a type; a list will do for every kind of sequence."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if annotation is tuple or (inspect.isclass(origin) and issubclass(origin, Iterable)):
        return _is_collection(value, origin or annotation, arguments)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    try:
        return isinstance(value, annotation) if inspect.isclass(annotation) else True
    except TypeError:  # of what is a class by name only, such as `Any`
        return True


def _is_collection(value: Any, kind: type, arguments: tuple[Any, ...]) -> bool:
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping)
    if not isinstance(value, list | tuple):
        return False
    if kind is tuple and Ellipsis not in arguments:
        return not arguments or (len(value) == len(arguments) and all(map(fits, value, arguments)))
    return all(fits(item, arguments[0]) for item in value) if arguments else True


def in_words(annotation: Any) -> str:
    """Write a type as what to put into a config; classes that no config can hold are left out where others remain."""
    # Python may have another union of the same types at hand, so that their order says nothing.
    scalars = list(_WORDS.values())
    choices = sorted(
        dict.fromkeys(_choices(annotation)), key=lambda choice: scalars.index(choice[0]) if choice[0] in scalars else -1
    )
    writable = [words for words, can_be_written in choices if can_be_written]
    return " or ".join(writable or [words for words, _ in choices])


def _choices(annotation: Any) -> Iterator[tuple[str, bool]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _choices(argument)
    elif origin is Literal:
        yield from ((str(argument), True) for argument in arguments)
    elif annotation is tuple or (inspect.isclass(origin) and issubclass(origin, Collection | Iterable)):
        if inspect.isclass(origin) and issubclass(origin, Mapping):
            yield "a mapping", True
        else:
            yield _list_of(origin, arguments), True
    else:
        name = getattr(annotation, "__name__", str(annotation))
        yield _WORDS.get(annotation, name), annotation in _WORDS


def _list_of(kind: Any, arguments: tuple[Any, ...]) -> str:
    """Write what a list is made of: ``a list of integers``, or where their count matters ``a list of 2 numbers``."""
    first = next(iter(arguments), None)
    items = next((_PLURALS[choice] for choice in (first, *get_args(first)) if choice in _PLURALS), "")
    count = f"{len(arguments)} " if kind is tuple and arguments and Ellipsis not in arguments else ""
    return f"a list of {count}{items or 'of them'}" if items or count else "a list"


def _is_numeric(annotation: Any) -> bool:
    """Tell whether a type is made of numbers, true, false and null, and lists of them, alone."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return all(map(_is_numeric, arguments))
    if inspect.isclass(origin) and issubclass(origin, Collection | Iterable) and not issubclass(origin, Mapping):
        return bool(arguments) and all(argument is Ellipsis or _is_numeric(argument) for argument in arguments)
    return annotation in _NUMERIC


def _holds_text(value: Any) -> bool:
    return any(map(_holds_text, value)) if isinstance(value, list | tuple) else isinstance(value, str)


def _found(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
