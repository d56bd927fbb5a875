"""A server on this machine that answers as Pushover's API does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TOKEN = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
KEY = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
PASSWORD = "s3cr3t&word"
SECRETS = (TOKEN, KEY, PASSWORD, "s3cr3t%26word")

HANG = -1
"""The answer that never comes."""
PORTAL = -2
"""A page of somebody else's in place of an answer."""

BODIES: dict[int, Any] = {
    200: {"status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"},
    400: {"token": "invalid", "errors": ["application token is invalid"], "status": 0, "request": "5042853c"},
    429: {"errors": ["application has exceeded its monthly message limit"], "status": 0, "request": "5042853d"},
}


@dataclass
class Received:
    """A request as it arrived.

    Attributes:
        path: What was asked for.
        headers: The headers.
        fields: The fields of the form.
        attachment: Name, type and content of the attached file.
    """

    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    attachment: tuple[str, str, bytes] | None


class Server(ThreadingHTTPServer):
    """Answers with the given statuses in turn, and with the last of them from then on."""

    daemon_threads = True

    def __init__(self, statuses: tuple[int, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.bodies = dict(BODIES)
        self.received: list[Received] = []
        self.released = threading.Event()
        self.delay = 0.0  # seconds that an answer takes

    @property
    def address(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.server_port}/1"

    @property
    def texts(self) -> list[str]:
        """The messages that arrived."""
        return [request.fields["message"] for request in self.received]

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        deadline = time.monotonic() + 20
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"only {len(self.received)} of {count} requests arrived"
            time.sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields, attachment = _parsed(self.headers["Content-Type"], body)
        server = self.server
        status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
        server.received.append(Received(self.path, dict(self.headers), fields, attachment))
        if status == HANG:
            server.released.wait(30)
            return
        time.sleep(server.delay)
        content = json.dumps(server.bodies[status]).encode() if status in server.bodies else b"<html>Error</html>"
        self.send_response(200 if status == PORTAL else status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


def _parsed(kind: str, body: bytes) -> tuple[dict[str, str], tuple[str, str, bytes] | None]:
    if kind.startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}, None
    fields, attachment = {}, None
    for part in message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if part.get_filename():
            assert name == "attachment"
            attachment = (part.get_filename(), part.get_content_type(), content)
        else:
            fields[name] = content.decode()
    return fields, attachment


@contextmanager
def serving(*statuses: int) -> Iterator[Server]:
    """Answer with the given statuses for the block."""
    server = Server(statuses or (200,))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
