"""The credentials of Pushover: a YAML file of its own, whose values are never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yaml

from trainlib.errors import ConfigError
from trainlib.suggest import nearest

_KEYS = ("app_token", "user_key", "proxies")
_SCHEMES = ("http", "https", "all")


@dataclass(frozen=True)
class Credentials:
    """What Pushover has to know to deliver a message.

    Attributes:
        app_token: Token of the application.
        user_key: Key of the user, or of a group.
        proxies: Scheme -> URL of the proxy; empty leaves it to the environment.
    """

    app_token: str = field(repr=False)
    user_key: str = field(repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hide(self, text: str) -> str:
        """Replace every secret in a text by asterisks."""
        secrets = [secret for url in self.proxies.values() for secret in _secrets_in(url)]
        spellings = {form(secret) for secret in secrets for form in (str, quote, unquote)}
        for secret in sorted({self.app_token, self.user_key, *spellings} - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def read_credentials(path: str | Path) -> Credentials:
    """Read a file of credentials.

    Args:
        path: A YAML file with `app_token`, `user_key` and, where they are needed, `proxies`.

    Raises:
        ConfigError: It cannot be read, or a key is missing, unknown or wrong; the message holds no value.
    """
    content = _read(Path(path))
    here = f"pushover.credentials: {path}"
    if not isinstance(content, dict):
        raise ConfigError(f"{here}: expected the keys app_token and user_key, a line each, as in `app_token: abc`.")
    for name in content:
        if name not in _KEYS:
            raise ConfigError(f"{here}: {_unknown(name)}")
    for name in ("app_token", "user_key"):
        if name not in content:
            raise ConfigError(f"{here}: {name} is missing. Copy it from https://pushover.net.")
        if mistake := _mistake(content[name]):
            raise ConfigError(f"{here}: {name}: {mistake}")
    proxies = {} if content.get("proxies") is None else content["proxies"]
    if not isinstance(proxies, dict) or not all(_is_proxy(*item) for item in proxies.items()):
        raise ConfigError(
            f"{here}: proxies: expected {', '.join(_SCHEMES)}, each with a URL such as http://proxy.example.org:3128."
        )
    return Credentials(content["app_token"], content["user_key"], proxies)


def _read(path: Path) -> Any:
    """Read the YAML; what the parser says of a mistake is left out, for it quotes the file."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        # What has no dot may be a token that was written in place of the file.
        missing = f"no file {path}" if "." in path.name else f"no file of the given name in {path.parent}"
        raise ConfigError(
            f"pushover.credentials: there is {missing}. Write one with the keys app_token and user_key."
        ) from None
    except OSError as error:
        raise ConfigError(f"pushover.credentials: {path} cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(
            f"pushover.credentials: {path}{line}: is not valid YAML. Write each key as in `app_token: abc`."
        ) from None


def _unknown(name: Any) -> str:
    """Name a misspelt key; any other may be a value that stands where a key should."""
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z_-]{1,20}", name) and (key := nearest(name, _KEYS)):
        return f"{name} is not one of its keys. Did you mean {key}?"
    return f"expected no other keys than {', '.join(_KEYS)}."


def _mistake(value: Any) -> str:
    """Say what is wrong with a token or key."""
    if isinstance(value, str) and value:
        return "expected a text without spaces." if re.search(r"\s", value) else ""
    if value in (None, ""):
        return "expected a text, found nothing."
    if isinstance(value, list | dict):
        return f"expected a text, found a {'list' if isinstance(value, list) else 'mapping'}."
    return "expected a text. Put it in quotes, for YAML reads it as something else."


def _secrets_in(url: str) -> list[str]:
    """List what is secret in the address of a proxy: user and password, and the one that must not show alone."""
    if not (found := re.search(r"//(.*)@", url)):
        return []
    user, _, password = found[1].partition(":")
    return [found[1], password or user]


def _is_proxy(scheme: Any, url: Any) -> bool:
    if scheme not in _SCHEMES or not isinstance(url, str) or re.search(r"\s", url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.scheme and parts.hostname and (parts.port is None or parts.port))
    except ValueError:  # a port that is no number, or half an IPv6 address
        return False
