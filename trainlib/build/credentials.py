"""Credentials among the keywords of a logger, which have no place in a config that is kept and sent around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from trainlib.config.component import Component
from trainlib.config.sources import Key, dotted

# Logger -> where it finds its credentials itself.
_VARIABLES = {
    "CometLogger": "COMET_API_KEY",
    "LitLogger": "LIGHTNING_USER_ID and LIGHTNING_API_KEY",
    "MLFlowLogger": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_URI for a database",
    "WandbLogger": "WANDB_API_KEY",
}
_NAMES = re.compile(r"(.*[_-])?(api_?key|secret(_?key)?|access_?key|(api_?)?token|password|passwd|pwd)", re.IGNORECASE)
# Of an address that is no web page, a user alone is no secret: `sftp://me@host`.
_IN_ADDRESS = re.compile(r"://[^\s/:@]*:[^\s/]*@|https?://[^\s/]*@", re.IGNORECASE)


def credential_mistakes(here: Key, component: Component) -> list[tuple[Key, str]]:
    """Name the keywords of a logger that hold a credential; their values are not told.

    Args:
        here: Where the logger stands, its name included.
        component: The logger.
    """
    variables = _VARIABLES.get(component.name.rpartition(".")[2])
    remedy = f"set {variables} in the environment" if variables else "let the logger read it from the environment"
    return [
        (key, f"{dotted(key)}: a credential in a config is kept in every run and sent to loggers; {remedy} instead.")
        for key in _held(here, component.kwargs)
    ]


def _held(here: Key, value: Any) -> Iterator[Key]:
    """List the keys of all credentials below a key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            key = (*here, str(name))
            if inner and isinstance(inner, str | int) and not isinstance(inner, bool) and _NAMES.fullmatch(str(name)):
                yield key
            else:
                yield from _held(key, inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _held((*here, i), inner)
    elif isinstance(value, str) and _IN_ADDRESS.search(value):
        yield here
