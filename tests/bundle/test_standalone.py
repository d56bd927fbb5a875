"""Patch scripts lose trainlib where annotations alone name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainlib.bundle.standalone import imported, standalone
from trainlib.errors import PatchError


def written(folder: Path, source: str) -> Path:
    path = folder / "model.py"
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "source",
    [
        "from trainlib import Config\n\ndef get_model(config: Config) -> str:\n    return 'mu: \u00b5'\n",
        "import os, trainlib, sys\n\ndef get_model(c: trainlib):\n    return os.sep + sys.platform\n",
        "from __future__ import annotations\nimport trainlib\n\ndef get_model(config: trainlib.Config): return 1\n",
        "'\u00b5'; from trainlib import Config; answer = 42\n\ndef get_model(config: Config | None): return answer\n",
        "if True:\n    from trainlib import (\n        Config,\n    ); b = 2\n\ndef get_model(c: Config): return b\n",
    ],
)
def test_annotations_get_a_stand_in(tmp_path: Path, source: str) -> None:
    found = standalone(written(tmp_path, source))
    assert "trainlib" not in imported(found)
    assert found.count("\n") == source.count("\n")
    names: dict[str, object] = {}
    exec(compile(found, "model.py", "exec", dont_inherit=True), names)
    original = dict[str, object]()
    exec(compile(source, "model.py", "exec", dont_inherit=True), original)
    assert names["get_model"](None) == original["get_model"](None)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "from trainlib.metrics import summary\n\n\ndef get_model(config):\n    return summary\n",
            "model.py:1: .* summary",
        ),
        ("\nimport trainlib.metrics as m\nx = m.summary\n", "model.py:2: .* m comes"),
        ("from trainlib import *\n", r"all that is imported with \* comes"),
        ("import trainlib\n\ndef get_model(config: trainlib.Config): ...\n", "trainlib comes from it"),
    ],
)
def test_a_script_that_needs_trainlib_is_refused(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(PatchError, match=said):
        standalone(written(tmp_path, source))
