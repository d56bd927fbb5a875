"""Complete a component's keywords by what follows from the data, and check them against its signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainlib.build.keywords import Keywords
from trainlib.build.lookup import Found, find
from trainlib.build.patches import blame, describe
from trainlib.build.types import texts_for_numbers, wrong_types
from trainlib.config.component import Component
from trainlib.config.model import SETTINGS
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.config.window import window_mistakes
from trainlib.errors import ConfigError, InputError, PatchError, Problem

# What to say of keywords for which more help is at hand than that they are needed.
_REMEDIES = {"keys": "say what it is applied to, `keys: [image]` or `keys: [image, label]`."}

# Keywords that are filled in with the window.
_OF_WINDOW = {"img_size", "input_image_size", "roi_size"}


class ComponentError(InputError):
    """A component cannot be built.

    Args:
        mistakes: Key and sentence of each mistake.
    """

    def __init__(self, mistakes: list[tuple[Key, str]]) -> None:
        self.mistakes = mistakes
        super().__init__(Problem(text) for _, text in mistakes)


@dataclass
class Resolved:
    """A component with all its keywords.

    Attributes:
        key: Where it stands in the config, its name included.
        found: What its name stands for.
        kwargs: The keywords of the config and those filled in.
        mistakes: Key and sentence of each keyword that is wrong or missing.
        written: Names of the keywords that stand in the config.
    """

    key: Key
    found: Found
    keywords: Keywords
    kwargs: dict[str, Any]
    mistakes: list[tuple[Key, str]] = field(default_factory=list)
    written: frozenset[str] = frozenset()

    def construct(self, *arguments: Any) -> Any:
        """Call the class or function.

        Raises:
            ComponentError: Its keywords are wrong, or it refuses their values.
            PatchError: It comes from a patch script and failed there.
        """
        if self.mistakes:
            raise ComponentError(self.mistakes)
        try:
            return self.found.target(*arguments, **self.kwargs)
        except ConfigError as error:  # which speaks for itself
            raise ComponentError(
                [(self.key, f"{dotted(self.key)}: {problem.text}") for problem in error.problems]
            ) from error
        except Exception as error:
            if self.found.origin.endswith(".py"):
                where = blame(error, self.found.origin)
                raise PatchError(f"{where}: {self.found.name} failed: {describe(error)}.") from error
            raise ComponentError(self.refusal(error)) from error

    def refusal(self, error: Exception) -> list[tuple[Key, str]]:
        """Say what the class raised; keywords of the config that have not the annotated type are the likely reason."""
        name, said = self.found.name, describe(error)
        if isinstance(error, ImportError):
            return [(self.key, f"{dotted(self.key)}: {name} needs a package that cannot be imported: {said}.")]
        return self.suspects(error) or [(self.key, f"{dotted(self.key)}: {name} refuses these keywords: {said}.")]

    def suspects(self, error: Exception) -> list[tuple[Key, str]]:
        """Name the keywords of the config that have not the annotated type, with what was raised."""
        written = {keyword: value for keyword, value in self.kwargs.items() if keyword in self.written}
        said = f"({self.found.name} says: {describe(error)})"
        wrong = [((*self.key, keyword), text) for keyword, text in wrong_types(self.found.target, written)]
        return [(key, f"{dotted(key)}: {text} {said}") for key, text in wrong]


def facts(config: Config) -> dict[str, Any]:
    """List what follows from the data, under the names that networks and inferers use for it."""
    return {
        "spatial_dims": config.data.spatial_dims,
        "dimensions": config.data.spatial_dims,
        "in_channels": config.in_channels,
        "n_input_channels": config.in_channels,
        "out_channels": config.out_channels,
        "num_classes": config.out_channels,
        "img_size": config.roi_size,
        "input_image_size": config.roi_size,
        "pretrained": False,  # weights would be downloaded, which is for the config to ask for
        "roi_size": config.roi_size,
        "classification": config.task == "classification",  # of networks with a head for either
    }


def resolve(
    kind: str,
    key: Key,
    component: Component,
    config: Config,
    known: Mapping[str, Any] | Callable[[Keywords], Mapping[str, Any]],
    positional: int = 0,
) -> Resolved:
    """Look a component up, fill in what is known and compare its keywords with its signature.

    Args:
        kind: What it is: ``model``, ``loss``, ``optimizer``, ``scheduler``, ``transform`` or ``inferer``.
        key: The section it stands in.
        component: Name and keywords from the config.
        config: The whole config.
        known: Values for keywords that the config does not set; used where the signature has them. Or a function
            that lists them for what the name turns out to stand for.
        positional: Number of leading parameters that are passed by position (an optimizer's parameters).

    Raises:
        ComponentError: There is no such component.
        PatchError: The patch script cannot be imported.
    """
    try:
        found = find(kind, component.name, config)
    except PatchError:
        raise
    except InputError as error:
        raise ComponentError([((*key, component.name), f"{dotted(key)}: {error}")]) from error
    here = (*key, component.name)
    keywords = Keywords(found.target)
    keywords.pass_by_position(positional)
    values = known(keywords) if callable(known) else known
    kwargs = {name: value for name, value in values.items() if name in keywords.parameters} | component.kwargs
    mistakes: list[tuple[Key, str]] = [
        ((*here, name), f"{dotted((*here, name))} is not a keyword of {component.name}.{hint}")
        for name, near in keywords.unknown(component.kwargs)
        for hint in [_of_section(kind, name) or near]
    ]
    if (getattr(found.target, "__module__", None) or "").startswith(("monai.", "torch.")):
        wrong = texts_for_numbers(found.target, component.kwargs)
        mistakes += [((*here, name), f"{dotted((*here, name))}: {text}") for name, text in wrong]
    if not mistakes or not keywords.open:
        mistakes += [
            (here, f"{dotted(here)}: {_REMEDIES.get(name, f'{component.name} needs the keyword {name}.')}")
            for name in keywords.missing(kwargs)
        ]
    if _OF_WINDOW & (kwargs.keys() - component.kwargs.keys()):
        mistakes += window_mistakes(config)
    return Resolved(here, found, keywords, kwargs, mistakes, frozenset(component.kwargs))


def _of_section(kind: str, name: str) -> str:
    """Say where a setting belongs that stands among the keywords of a network."""
    return f" It stands beside the network: {kind}.{name}." if kind == "model" and name in SETTINGS else ""


def collect(build: Callable[[], Any], mistakes: list[tuple[Key, str]], key: Key) -> Any:
    """Run `build`; add the mistakes it raises to `mistakes` and return None then."""
    try:
        return build()
    except ComponentError as error:
        mistakes += error.mistakes
    except InputError as error:
        mistakes += [(key, problem.text) for problem in error.problems]
    return None
