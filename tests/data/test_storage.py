"""What is written comes back, and is read only as far as it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trainlib.data.storage import packed, unpacked

CASE = {
    "image": torch.arange(24, dtype=torch.float32).reshape(1, 2, 3, 4),
    "label": torch.ones(1, 2, 3, 4, dtype=torch.uint8),
    "affine": torch.eye(4, dtype=torch.float64) / 3,
    "operations": [
        {"class": "Spacingd", "extra_info": {"affine": torch.eye(4) * 0.1, "mode": None, "sizes": [1, 2.5, [True]]}},
        {"class": "Orientationd", "empty": {}, "none": []},
    ],
    "empty": torch.zeros(0, 3),
    "others": [torch.tensor([True, False]), torch.ones(3).to(torch.bfloat16), torch.tensor(7, dtype=torch.int16)],
    "number": 0.1,
}


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.fixture(params=["read", "mapped"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a file that is read as a whole, or mapped."""
    if request.param == "mapped":
        monkeypatch.setattr("trainlib.data.storage._SMALL", -1)
    return tmp_path / "case.safetensors"


def test_tensors_numbers_texts_and_their_containers_come_back(path: Path) -> None:
    path.write_bytes(packed(CASE))
    assert same(unpacked(path), CASE)


def test_what_is_not_needed_is_left_out(path: Path) -> None:
    path.write_bytes(packed(CASE))
    assert same(unpacked(path, ("label", "number", "absent")), {key: CASE[key] for key in ("label", "number")})


def test_what_is_written_to_a_tensor_stays_in_memory(path: Path) -> None:
    path.write_bytes(packed(CASE))
    unpacked(path)["image"].zero_()
    assert same(unpacked(path), CASE)


@pytest.mark.parametrize("content", [b"", b"abc", packed(CASE)[:200], packed(CASE)[:-1], packed(CASE) + b" "])
def test_a_damaged_file_is_an_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Exception, match=r"[Hh]eader|incomplete|[Mm]etadata"):
        unpacked(path)


def test_a_file_that_is_not_there_is_told_apart(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unpacked(path)


def test_only_what_is_used_is_read(tmp_path: Path) -> None:
    path = tmp_path / "case.safetensors"
    path.write_bytes(packed({"image": torch.ones(1, 256, 256, 256)}))
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom trainlib.data.storage import unpacked\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "parts = [unpacked(Path(sys.argv[1]))['image'][:, i : i + 4, :4, :4].sum() for i in range(0, 40, 4)]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 32 * 2**20 < 4 * 256**3
