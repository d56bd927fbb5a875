"""Pushover's API: one message, one request, and what the answer means."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from trainlib.config.credentials import Credentials

ATTACHMENT_LIMIT = 5_242_880
"""Bytes of the largest attachment that Pushover takes."""
_TITLE_LIMIT, _TEXT_LIMIT, _WORDS_LIMIT = 250, 1024, 300
_REQUEST_TIMEOUT, _TOO_LARGE = 408, 413


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        title: The title; what is too long for Pushover is cut off.
        text: The message itself, cut likewise.
        picture: An image to attach; left out where it cannot be read or is too large.
        urgent: Whether it is shown even in the quiet hours of the user.
        passing: Whether a later message makes it old: then it is not sent any more where it still waits.
    """

    title: str
    text: str
    picture: Path | None = None
    urgent: bool = False
    passing: bool = False


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
        delivered: Whether Pushover took the message.
        refused: Whether it would refuse the message again.
        words: What went wrong, without any secret.
        reached: Whether anybody answered at all.
    """

    delivered: bool
    refused: bool = False
    words: str = ""
    reached: bool = True


def send(address: str, credentials: Credentials, message: Message, timeout: tuple[float, float]) -> Answer:
    """Send a message, once; where its picture is too large for the server, once more without it.

    Args:
        address: Where messages go.
        credentials: Token, key and proxies.
        message: The message.
        timeout: Seconds to wait for the connection, and for the answer.
    """
    import requests
    from urllib3.exceptions import HTTPError

    try:
        response = _post(address, credentials, message, timeout)
        if response.status_code == _TOO_LARGE and message.picture is not None:
            response = _post(address, credentials, replace(message, picture=None), timeout)
    # In words of our own: the text of these errors may hold the address of a proxy with its password.
    except requests.Timeout:
        return Answer(False, words="no answer in time", reached=False)
    except requests.exceptions.SSLError:
        return Answer(False, words="its certificate cannot be verified")
    except requests.exceptions.ProxyError:
        return Answer(False, words="the proxy does not connect", reached=False)
    except requests.ConnectionError:
        return Answer(False, words="no connection", reached=False)
    except (OSError, ValueError, HTTPError) as error:
        return Answer(False, words=type(error).__name__)
    return _understood(response, credentials)


def _post(address: str, credentials: Credentials, message: Message, timeout: tuple[float, float]) -> Any:
    import requests

    fields = {"token": credentials.app_token, "user": credentials.user_key}
    fields |= {"title": _cut(message.title, _TITLE_LIMIT), "message": _cut(message.text, _TEXT_LIMIT)}
    fields |= {"priority": "1"} if message.urgent else {}
    return requests.post(
        address,
        data=fields,
        files=_attachment(message.picture),
        proxies=dict(credentials.proxies),
        timeout=timeout,
        allow_redirects=False,  # the credentials are for this address alone
    )


def _understood(response: Any, credentials: Credentials) -> Answer:
    """Read an answer; what is wrong is told in Pushover's own words."""
    try:
        content = response.json()
    except ValueError:
        content = None
    content = content if isinstance(content, dict) else {}
    if response.status_code == 200:
        delivered = content.get("status") == 1
        return Answer(delivered, words="" if delivered else "the answer is not Pushover's")
    errors = content.get("errors") or [f"HTTP {response.status_code} {response.reason}"]
    words = " ".join("; ".join(map(str, errors)).split()) if isinstance(errors, list) else str(errors)
    refused = 400 <= response.status_code < 500 and response.status_code != _REQUEST_TIMEOUT
    return Answer(False, refused, _cut(credentials.hide(words), _WORDS_LIMIT))


def _attachment(picture: Path | None) -> dict[str, tuple[str, bytes, str]] | None:
    """Read a picture in the form in which requests takes it."""
    try:
        if picture is None or picture.stat().st_size > ATTACHMENT_LIMIT:
            return None
        kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
        return {"attachment": (picture.name, picture.read_bytes(), kind)}
    except OSError:
        return None


def _cut(text: str, limit: int) -> str:
    """Cut a text to so many characters; those that UTF-8 cannot write become question marks."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 1] + "…"
