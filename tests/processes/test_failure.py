"""The failure that all processes of a run agree on."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from torch.distributed import HashStore  # type: ignore[attr-defined]

from trainlib.errors import CheckpointError, ConfigError, DataError, Interrupted, Problem, ProcessError, ResourceError
from trainlib.processes import failure as module
from trainlib.processes.failure import Failure, Failures, is_lost_connection


@pytest.fixture
def pair() -> tuple[Failures, Failures]:
    """What two processes see of one store."""
    store = HashStore()
    store.set_timeout(timedelta(seconds=1))
    return Failures(store, 0), Failures(store, 1)


def again(error: BaseException, rank: int = 1) -> BaseException:
    """Send an error to another process."""
    return Failure.read(Failure.of(error, rank).write()).error()


def test_mistakes_in_the_input_arrive_with_their_places_and_without_any_other_word() -> None:
    error = again(DataError([Problem("is empty.", "a.csv:2"), Problem("is missing.")]))
    assert isinstance(error, DataError)
    assert str(error) == "a.csv:2: is empty.\nis missing."
    assert error.problems == [Problem("is empty.", "a.csv:2"), Problem("is missing.")]
    assert (error.exit_status, error.told_by) == (2, 1)


class _OwnError(ConfigError):
    """An error of another module, which only that module can make."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def test_an_error_arrives_as_the_nearest_that_every_process_can_make() -> None:
    error = again(_OwnError(1, 2))
    assert type(error) is ConfigError
    assert str(error) == "1 and 2"


def test_a_lack_of_memory_arrives_with_the_process_that_had_it() -> None:
    error = again(ResourceError("The GPU ran out of memory."), rank=3)
    assert isinstance(error, ResourceError)
    assert str(error) == f"Process 3 on {socket.gethostname()}: The GPU ran out of memory."


def test_a_bug_arrives_as_its_first_line() -> None:
    error = again(KeyError("spacing\nmore"))
    assert isinstance(error, ProcessError)
    assert str(error).startswith(f"Process 1 on {socket.gethostname()}: KeyError: ")
    assert "\n" not in str(error)


def test_an_interruption_keeps_its_signal() -> None:
    error = again(Interrupted(15))
    assert isinstance(error, Interrupted)
    assert error.exit_status == 143


def test_all_end_with_the_error_of_the_first_that_failed(pair: tuple[Failures, Failures]) -> None:
    first, second = pair
    error, other = CheckpointError("no checkpoint"), ResourceError("no memory")
    assert second.agree(error) is error
    common = first.agree(other)
    assert isinstance(common, CheckpointError)
    assert (common.told_by, error.told_by) == (1, 1)
    assert second.agree(error) is error


def test_a_lost_connection_gives_way_to_the_reason(pair: tuple[Failures, Failures]) -> None:
    first, second = pair
    second.agree(DataError("broken file"))
    assert str(first.agree(RuntimeError("Connection closed by peer [127.0.0.1]:5"))) == "broken file"


def test_a_lost_connection_that_nobody_explains_is_told_as_such(
    pair: tuple[Failures, Failures], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    error = pair[0].agree(RuntimeError("Connection closed by peer [127.0.0.1]:5\nmore"))
    assert isinstance(error, ProcessError)
    assert str(error) == (
        "Process 0 has lost the connection to another one, which has ended. (Connection closed by peer [127.0.0.1]:5)"
    )


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[/x/pair.cc:553] Connection closed by peer [1.2.3.4]:1"), True),
        (RuntimeError("[1] is setting up NCCL communicator and ..."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError("Connection reset by peer"), False),
        (ValueError("gloo"), False),
    ],
)
def test_an_error_of_the_connection_is_told_from_others(error: BaseException, lost: bool) -> None:
    assert is_lost_connection(error) is lost


def test_where_the_store_is_gone_the_first_process_is_known_to_have_ended() -> None:
    class Gone:
        """A store whose server has ended."""

        def check(self, *_: object) -> bool:
            raise RuntimeError("Connection reset by peer")

        compare_set = get = check

    error = Failures(Gone(), 2).agree(DataError("x"))
    assert isinstance(error, ProcessError)
    assert error.told_by == 0


def test_every_error_that_a_user_may_see_can_be_told(tmp_path: Path) -> None:
    for kind in (ConfigError, DataError, CheckpointError, ResourceError, ProcessError):
        assert type(again(kind(f"{tmp_path} x"))) is kind
