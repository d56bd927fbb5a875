"""A service on this machine that tells the country, or does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(ThreadingHTTPServer):
    """Answers every request with `body`, or with nothing at all where that is None."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, body: str | None, status: int) -> None:
        self.body, self.status, self.requests = body, status, 0
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/geo.json"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.server.body is None:
            self.server.over.wait(60)
            return
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serving(body: str | None, status: int = 200) -> Iterator[Service]:
    """Serve for the block."""
    service = Service(body, status)
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        service.shutdown()
        service.server_close()
        thread.join()


def refusing() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/geo.json"
