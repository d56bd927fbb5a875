"""What a process does that the supervisor starts: take the call, make it, and send back what it returns."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from trainlib.errors import Interrupted, TrainlibError


def main() -> None:
    """Make the call that arrives at the connection whose file descriptor is the only argument."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    console, call = connection.recv()
    console.take_over(int(os.environ["RANK"]))
    threading.Thread(target=_end_with, args=(connection,), name="supervisor", daemon=True).start()
    status = 0
    try:
        result = pickle.loads(call)()
        if os.environ["LOCAL_RANK"] == "0":
            connection.send(result)
    except (TrainlibError, Interrupted) as error:
        status = error.exit_status  # the supervisor tells the error
    except BaseException:
        traceback.print_exc()
        status = 1
    gc.freeze()  # else Python looks for seconds at what torch and MONAI have made, before it ends
    sys.exit(status)


def _end_with(connection: Connection[Any, Any]) -> None:
    """End at once, workers included, when the supervisor is gone: it sends nothing more as long as it lives."""
    try:
        connection.recv()
    except (EOFError, OSError):
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
