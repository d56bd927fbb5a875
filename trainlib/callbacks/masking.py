"""Credentials in a diff: what stands behind their keys is replaced by asterisks, whichever file it is in."""

from __future__ import annotations

import re

_LINE = re.compile(r"(?P<mark>@@ .*? @@ ?|[-+ ])(?P<indent>[ \t]*)(?P<text>.*)", re.DOTALL)
_KEY = re.compile(r"""(?P<before>.*?(?:app_token|user_key|proxies)\\?["']?[ \t]*:)(?P<value>.*)""", re.DOTALL)
_PASSWORD = re.compile(r"(?<=://)[^\s/:@]*:[^\s/]*@")


def mask_credentials(diff: str) -> str:
    """Mask what follows `app_token`, `user_key` and `proxies` in a diff, and the password of any address.

    The rest of a line with such a key is masked, and so are the lines below that are indented deeper, for a value
    may stand there. What is masked may be no secret at all: better a line of code lost than a token kept.

    Args:
        diff: The diff as git writes it, without colours.
    """
    masked = []
    depth: int | None = None  # indentation of the key whose value may go on in the next line
    for line in diff.split("\n"):  # no other line ends: git knows only this one
        parts = _LINE.fullmatch(line)
        if parts is None:
            depth = depth if line == "" or line.startswith("\\") else None
            masked.append(line)
            continue
        mark, indent, text = parts.group("mark", "indent", "text")
        depth = None if mark.startswith("@@") else depth  # this line may be from far above
        if key := _KEY.fullmatch(text):
            depth = len(indent)
            text = key["before"] + (" ***" if key["value"].strip() else key["value"])
        elif text.strip() and not text.startswith("#"):
            depth = depth if depth is not None and len(indent) > depth else None
            text = text if depth is None else "***"
        masked.append(mark + indent + _PASSWORD.sub("***@", text))
    return "\n".join(masked)
