"""Which keywords a class or function takes, and which of those in a config it does not."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from trainlib.config.model import SETTINGS
from trainlib.config.sources import Key, dotted
from trainlib.suggest import did_you_mean, nearest

_PAD = ("value", "constant_values")
# Keywords that go through **kwargs to a function that no signature tells of.
_FORWARDED: dict[str, tuple[str, ...]] = {
    "SpatialPadd": _PAD,
    "BorderPadd": _PAD,
    "DivisiblePadd": _PAD,
    "ResizeWithPadOrCropd": _PAD,
    "CropForegroundd": _PAD,
    "Zoomd": _PAD,
    "RandZoomd": _PAD,
    "LoadImaged": ("channel_dim", "as_closest_canonical", "squeeze_non_spatial_dims", "series_name",
                   "reverse_indexing", "affine_lps_to_ras", "npz_keys", "converter", "swap_ij"),
    "AsDiscreted": ("dim", "keepdim", "dtype"),
    "Activationsd": ("dim",),
}  # fmt: skip
# Modules of functions that hand **kwargs to a class -> that class; `resnet18` alone would hide `spatial_dims`.
_RECEIVERS = {"monai.networks.nets.resnet": "ResNet", "monai.networks.nets.mednext": "MedNeXt"}
_POSITIONAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


class Keywords:
    """The keywords of a class or function.

    Args:
        target: The class or function.
    """

    def __init__(self, target: Callable[..., Any]) -> None:
        self.target = target
        self.parameters: dict[str, inspect.Parameter] = {}
        self.open = True
        self.required: list[str] = []
        for i, parameters in enumerate(_signatures(target)):
            named = {name: p for name, p in parameters.items() if p.kind not in _POSITIONAL}
            if i == 0:
                self.required = [name for name, p in named.items() if p.default is inspect.Parameter.empty]
            self.parameters = named | self.parameters
            if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
                self.open = False
                break
        name = getattr(target, "__name__", "")
        self.forwarded = _FORWARDED.get(name, ())

    @property
    def names(self) -> list[str]:
        """All keywords that are known to be accepted."""
        return [*self.parameters, *self.forwarded]

    def pass_by_position(self, count: int) -> None:
        """Take the first `count` parameters, which are not given as keywords, out of account."""
        for name in list(self.parameters)[:count]:
            del self.parameters[name]
            self.required = [other for other in self.required if other != name]

    def default(self, name: str) -> Any:
        """Return the default of a keyword; `inspect.Parameter.empty` where it has none."""
        return self.parameters[name].default

    def unknown(self, kwargs: Collection[str]) -> Iterator[tuple[str, str]]:
        """Name each keyword that is not accepted, with a hint at the one that was meant."""
        return unknown_keywords(kwargs, self.names, is_open=self.open)

    def missing(self, kwargs: Collection[str]) -> list[str]:
        """Name the keywords that must be given and are not."""
        return [name for name in self.required if name not in kwargs]


def unknown_keywords(given: Collection[str], names: Collection[str], *, is_open: bool) -> Iterator[tuple[str, str]]:
    """Name each keyword that is not accepted, with a hint at the one that was meant.

    Args:
        given: The keywords in the config.
        names: Those that are known to be accepted.
        is_open: Whether all others are passed on to another function; only near misses of known names are told then.
    """
    for name in given:
        if name in names or (is_open and not nearest(name, names, cutoff=0.8)):
            continue
        yield name, did_you_mean(name, names)


def keyword_mistakes(
    here: Key, unknown: Iterable[tuple[str, str]], wrong: Iterable[tuple[str, str]]
) -> Iterator[tuple[Key, str]]:
    """Write mistakes in the keywords of a component as sentences with their keys.

    Args:
        here: Where the component stands, its name included.
        unknown: Keywords that it does not take, each with a hint.
        wrong: Keywords whose value is wrong, each with what is wrong with it.
    """
    for name, near in unknown:
        hint = _of_section(here[0], name) or near
        yield (*here, name), f"{dotted((*here, name))} is not a keyword of {here[-1]}.{hint}"
    for name, text in wrong:
        yield (*here, name), f"{dotted((*here, name))}: {text}"


def _of_section(section: str | int, name: str) -> str:
    """Say where a setting belongs that stands among the keywords of a network."""
    return f" It stands beside the network: {section}.{name}." if section == "model" and name in SETTINGS else ""


def one_for_each_value(mistakes: Iterable[tuple[Key, str]]) -> Iterator[tuple[Key, str]]:
    """Leave out what else is expected in place of a value of which something was told already."""
    told: set[Key] = set()
    for key, text in mistakes:
        of_value = text.startswith(f"{dotted(key)}: expected ")
        if not (of_value and key in told):
            yield key, text
        if of_value:
            told.add(key)


def _signatures(target: Callable[..., Any]) -> Iterator[dict[str, inspect.Parameter]]:
    """Yield the parameters of a function, or of a class's constructor and those of the classes it derives from."""
    module = getattr(target, "__module__", "")
    if not inspect.isclass(target):
        try:
            yield dict(inspect.signature(target).parameters)
        except (TypeError, ValueError):  # written in C, where nothing tells its keywords
            return
        if module not in _RECEIVERS:
            return
        target = getattr(sys.modules[module], _RECEIVERS[module])
    for cls in getattr(target, "__mro__", ()):
        if "__init__" in vars(cls):
            parameters = dict(inspect.signature(vars(cls)["__init__"]).parameters)
            parameters.pop("self", None)
            yield parameters
