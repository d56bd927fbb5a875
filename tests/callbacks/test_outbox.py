"""The thread that sends messages, against a server that answers as Pushover does."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.callbacks.pushover_server import HANG, KEY, PASSWORD, PORTAL, SECRETS, TOKEN, serving
from trainlib.callbacks import outbox as module
from trainlib.callbacks.delivery import ATTACHMENT_LIMIT, Message
from trainlib.callbacks.outbox import Outbox
from trainlib.config.credentials import Credentials

CREDENTIALS = Credentials(TOKEN, KEY)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, by anyone and of any level; it never holds a secret."""
    with caplog.at_level(logging.DEBUG):
        yield caplog
    records = caplog.get_records("call")
    text = "\n".join(logging.Formatter().format(record) for record in records)
    assert records
    assert [secret for secret in SECRETS if secret in text] == []


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the user reads."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("trainlib")]


@contextmanager
def sending(
    api: str, credentials: Credentials = CREDENTIALS, *, patience: float = 20, **settings: Any
) -> Iterator[Any]:
    """Open an outbox for the block, which ends with its last message."""
    outbox = Outbox(api, credentials, **{"pause": 0.01, **settings})
    outbox.start()
    try:
        yield outbox
    finally:
        outbox.close(patience)


def closed_port() -> int:
    """A port on which nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_message_arrives_with_the_fields_of_the_api(told: pytest.LogCaptureFixture) -> None:
    with serving() as server, sending(f"{server.address}/") as outbox:
        outbox.put(Message("Überschrift", "<b>Dice</b> & more\nsecond line"))
        outbox.put(Message("it fell", "over", urgent=True))
    first, second = server.received
    assert (first.path, first.attachment) == ("/1/messages.json", None)
    assert first.fields == {
        "token": TOKEN,
        "user": KEY,
        "title": "Überschrift",
        "message": "<b>Dice</b> & more\nsecond line",
    }
    assert second.fields["priority"] == "1"
    assert warnings(told) == []


@pytest.mark.parametrize(("name", "kind"), [("a.png", "image/png"), ("a.gif", "image/gif")])
def test_a_picture_is_attached(tmp_path: Path, name: str, kind: str) -> None:
    content = bytes(range(256)) * 40
    (tmp_path / name).write_bytes(content)
    with serving() as server, sending(server.address) as outbox:
        outbox.put(Message("t", "Größe", picture=tmp_path / name))
    [request] = server.received
    assert request.attachment == (name, kind, content)
    assert request.fields["message"] == "Größe"


@pytest.mark.parametrize(("size", "attached"), [(ATTACHMENT_LIMIT, True), (ATTACHMENT_LIMIT + 1, False), (None, False)])
def test_a_picture_that_is_too_large_or_gone_is_left_out(tmp_path: Path, size: int | None, attached: bool) -> None:
    picture = tmp_path / "a.png"
    if size is not None:
        picture.write_bytes(bytes(size))
    with serving() as server, sending(server.address) as outbox:
        outbox.put(Message("t", "text", picture=picture))
    [request] = server.received
    assert (request.attachment is not None) is attached
    assert request.fields["message"] == "text"


def test_a_picture_that_is_too_large_for_the_server_is_left_out(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    with serving(413, 200) as server, sending(server.address, tries=1) as outbox:
        outbox.put(Message("t", "one", picture=tmp_path / "a.png"))
        outbox.put(Message("t", "two", picture=tmp_path / "a.png"))
    assert server.texts == ["one", "one", "two"]
    assert [request.attachment is not None for request in server.received] == [True, False, True]
    assert warnings(told) == []


def test_a_message_too_large_without_a_picture_is_a_refusal(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    with serving(413) as server, sending(server.address) as outbox:
        outbox.put(Message("t", "one", picture=tmp_path / "a.png"))
    assert [request.attachment is not None for request in server.received] == [True, False]
    [line] = warnings(told)
    assert line.startswith("Pushover refuses messages, so none is sent any more: HTTP 413 ")


def test_what_is_too_long_is_cut_and_what_utf_8_cannot_write_is_replaced() -> None:
    with serving() as server, sending(server.address) as outbox:
        outbox.put(Message("t" * 300, "ä" * 2000))
        outbox.put(Message("t", "file \udcff.nii"))
    long, odd = server.received
    assert long.fields["title"] == "t" * 249 + "…"
    assert long.fields["message"] == "ä" * 1023 + "…"
    assert odd.fields["message"] == "file ?.nii"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "application token is invalid"),
        (429, "application has exceeded its monthly message limit"),
        (404, "HTTP 404 Not Found"),
    ],
)
def test_a_refusal_is_told_once_in_pushovers_words_and_ends_the_sending(
    told: pytest.LogCaptureFixture, status: int, words: str
) -> None:
    with serving(status) as server, sending(server.address) as outbox:
        for text in ("one", "two"):
            outbox.put(Message("t", text))
            server.wait_for(1)
        outbox.close(20)
        outbox.put(Message("t", "three"))
    assert server.texts == ["one"]
    assert warnings(told) == [f"Pushover refuses messages, so none is sent any more: {words}"]


def test_secrets_that_an_answer_repeats_are_not_logged(told: pytest.LogCaptureFixture) -> None:
    credentials = Credentials(TOKEN, KEY, {"https": f"http://me:{PASSWORD}@proxy.example:3128"})
    with serving(400) as server, sending(server.address, credentials) as outbox:
        echo = f"no {TOKEN} for {KEY} by {PASSWORD}"
        server.bodies[400] = {"errors": [echo, "x" * 200 + TOKEN, 7], "status": 0}
        outbox.put(Message("t", "one"))
    [line] = warnings(told)
    assert "no *** for *** by ***; xxx" in line
    assert TOKEN[:5] not in line


@pytest.mark.parametrize("failure", [408, 500, 503, 307, PORTAL])
def test_a_message_is_tried_again_until_it_is_delivered(told: pytest.LogCaptureFixture, failure: int) -> None:
    with serving(failure, failure, 200) as server, sending(server.address) as outbox:
        outbox.put(Message("t", "one"))
        outbox.put(Message("t", "two"))
    assert server.texts == ["one", "one", "one", "two"]
    assert {request.path for request in server.received} == {"/1/messages.json"}
    assert warnings(told) == []


def test_a_message_that_cannot_be_delivered_is_dropped_and_told_once(told: pytest.LogCaptureFixture) -> None:
    with serving(500) as server, sending(server.address, tries=3) as outbox:
        outbox.put(Message("t", "one"))
        outbox.put(Message("t", "two"))
    assert server.texts == ["one"] * 3 + ["two"] * 3
    assert warnings(told) == [
        "A message could not be delivered to Pushover: HTTP 500 Internal Server Error.",
    ]


def test_a_pause_lies_between_two_tries() -> None:
    began = time.monotonic()
    with serving(500, 200) as server, sending(server.address, pause=0.3) as outbox:
        outbox.put(Message("t", "one"))
    assert len(server.received) == 2
    assert time.monotonic() - began >= 0.3


def test_an_answer_that_does_not_come_is_a_failure(told: pytest.LogCaptureFixture) -> None:
    with serving(HANG, 200) as server, sending(server.address, timeout=(5, 0.1)) as outbox:
        outbox.put(Message("t", "one"))
    assert server.texts == ["one", "one"]
    assert warnings(told) == []


def test_handing_over_never_waits_and_closing_not_longer_than_it_may(told: pytest.LogCaptureFixture) -> None:
    with serving(HANG) as server:
        began = time.monotonic()
        with sending(server.address, patience=0.2) as outbox:
            for i in range(100):
                outbox.put(Message("t", str(i)))
        assert time.monotonic() - began < 5  # the server takes 30, the time limit of the outbox is 10
    assert warnings(told) == ["The last message could not be delivered to Pushover within 0.2 s."]


def test_nothing_is_told_after_the_end(told: pytest.LogCaptureFixture) -> None:
    with serving(HANG) as server, sending(server.address, patience=0.1, timeout=(5, 0.4)) as outbox:
        outbox.put(Message("t", "one"))
        server.wait_for(1)
        outbox.close(0.01)
        [thread] = [thread for thread in threading.enumerate() if thread.name == "pushover"]
        thread.join(20)
        assert not thread.is_alive()
    assert server.texts == ["one"]
    assert warnings(told) == ["The last message could not be delivered to Pushover within 0.01 s."]


def test_of_passing_messages_the_newest_is_sent_and_the_others_all() -> None:
    with serving(HANG, 200) as server, sending(server.address, timeout=(5, 20)) as outbox:
        outbox.put(Message("t", "start"))
        server.wait_for(1)
        for i in range(50):
            outbox.put(Message("t", f"better {i}", passing=True))
        server.released.set()
        server.wait_for(3)
        assert server.texts == ["start", "start", "better 49"]  # a broken connection is tried again


def test_an_end_makes_a_waiting_improvement_old() -> None:
    with serving(HANG, 200) as server, sending(server.address) as outbox:
        outbox.put(Message("t", "start"))
        server.wait_for(1)
        outbox.put(Message("t", "better", passing=True))
        outbox.put(Message("t", "end"))
        server.released.set()
    assert server.texts == ["start", "start", "end"]


def test_an_old_message_is_not_tried_again(told: pytest.LogCaptureFixture) -> None:
    with serving(500, 200) as server, sending(server.address, pause=20) as outbox:
        outbox.put(Message("t", "better", passing=True))
        server.wait_for(1)
        outbox.put(Message("t", "end"))
    assert server.texts == ["better", "end"]
    assert warnings(told) == []


def test_where_nobody_answers_one_line_says_so(told: pytest.LogCaptureFixture) -> None:
    with sending(f"http://127.0.0.1:{closed_port()}/1") as outbox:
        outbox.put(Message("t", "one"))
        outbox.put(Message("t", "two"))
    assert warnings(told) == ["A message could not be delivered to Pushover: no connection."]


def test_the_end_waits_for_no_pause_and_tries_the_last_message_once(told: pytest.LogCaptureFixture) -> None:
    with serving(500, 200) as server, sending(server.address, pause=60) as outbox:
        outbox.put(Message("t", "start"))
        server.wait_for(1)
        outbox.put(Message("t", "end"))
    assert server.texts == ["start", "end"]


def test_a_last_message_that_fails_is_told_without_waiting_for_the_pause(told: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    with serving(500) as server, sending(server.address, pause=60, patience=50) as outbox:
        outbox.put(Message("t", "end"))
    assert time.monotonic() - began < 40
    assert server.texts == ["end"]
    assert warnings(told) == ["A message could not be delivered to Pushover: HTTP 500 Internal Server Error."]


def test_where_no_connection_was_made_the_end_does_not_wait(told: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    with sending(f"http://127.0.0.1:{closed_port()}/1", pause=60, patience=50) as outbox:
        outbox.put(Message("t", "start"))
        outbox.put(Message("t", "end"))
    assert time.monotonic() - began < 40
    assert warnings(told) == ["A message could not be delivered to Pushover: no connection."]


def test_where_nobody_answered_before_the_end_hardly_waits(told: pytest.LogCaptureFixture) -> None:
    with serving(HANG) as server, sending(server.address, tries=1, timeout=(5, 0.1)) as outbox:
        outbox.put(Message("t", "start"))
        deadline = time.monotonic() + 20
        while not warnings(told) and time.monotonic() < deadline:
            time.sleep(0.01)
        outbox.timeout = (5, 60)
        began = time.monotonic()
        outbox.put(Message("t", "end"))
        outbox.close(25)
        assert time.monotonic() - began < 15
        server.wait_for(2)
    assert server.texts == ["start", "end"]
    assert warnings(told) == ["A message could not be delivered to Pushover: no answer in time."]


def test_the_proxy_of_the_credentials_is_used() -> None:
    with serving() as server:
        proxy = f"http://me:s3cr3t%26word@127.0.0.1:{server.server_port}"
        with sending("http://api.pushover.invalid/1", Credentials(TOKEN, KEY, {"http": proxy})) as outbox:
            outbox.put(Message("t", "one"))
    [request] = server.received
    assert request.path == "http://api.pushover.invalid/1/messages.json"
    assert request.headers["Proxy-Authorization"].startswith("Basic ")


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "127.0.0.1:{}x", "[::1"])
@pytest.mark.parametrize("api", ["https://api.pushover.invalid/1", "http://api.pushover.invalid/1"])
def test_a_proxy_that_fails_never_shows_its_password(told: pytest.LogCaptureFixture, api: str, host: str) -> None:
    proxy = f"http://me:s3cr3t%26word@{host.format(closed_port())}"
    with sending(api, Credentials(TOKEN, KEY, {"http": proxy, "https": proxy})) as outbox:
        outbox.put(Message("t", "one"))
    assert len(warnings(told)) == 1


@pytest.mark.parametrize("rest", ["@127.0.0.1:{}", "@127.0.0.1:{}x", "#1@127.0.0.1:{}", "@"])
def test_a_proxy_of_the_environment_never_shows_its_password(
    told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:{PASSWORD}{rest.format(closed_port())}")
    with sending("http://api.pushover.invalid/1") as outbox:
        outbox.put(Message("t", "one"))
    assert len(warnings(told)) == 1


@pytest.mark.parametrize("api", ["nonsense", "ftp://example.invalid", "http://", "http://[::1"])
def test_an_address_that_is_none_is_told(told: pytest.LogCaptureFixture, api: str) -> None:
    with sending(api) as outbox:
        outbox.put(Message("t", "one"))
    [line] = warnings(told)
    assert line.startswith("A message could not be delivered to Pushover: ")


def test_a_bug_in_the_thread_keeps_its_lines_but_not_its_text(
    told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError(TOKEN)

    monkeypatch.setattr(module, "send", broken)
    with sending("http://127.0.0.1:9/1") as outbox:
        outbox.put(Message("t", "one"))
        outbox.put(Message("t", "two"))
    [line] = warnings(told)
    assert line.startswith("Sending messages to Pushover failed: ZeroDivisionError\n")
    assert "in broken" in line


def test_a_forked_process_is_not_disturbed_by_the_thread() -> None:
    with serving() as server, sending(server.address) as outbox:
        outbox.put(Message("t", "one"))
        children = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                import requests  # noqa: F401

                logging.getLogger("trainlib").debug("from a worker")
                os._exit(7)
            children.append(child)
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [7] * 5
        outbox.put(Message("t", "two"))
    assert server.texts == ["one", "two"]


def test_closing_ends_the_thread() -> None:
    with serving() as server, sending(server.address) as outbox:
        outbox.put(Message("t", "one"))
        outbox.close(20)
        deadline = time.monotonic() + 20
        while any(thread.name == "pushover" for thread in threading.enumerate()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(thread.name == "pushover" for thread in threading.enumerate())


def test_no_secret_shows_in_what_the_outbox_is_made_of() -> None:
    outbox = Outbox("http://127.0.0.1:9/1", Credentials(TOKEN, KEY, {"https": f"http://me:{PASSWORD}@proxy"}))
    shown = repr(outbox) + repr(vars(outbox))
    assert [secret for secret in SECRETS if secret in shown] == []
