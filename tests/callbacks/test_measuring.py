from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest

from tests.callbacks.geolocation import refusing, serving
from trainlib.callbacks.measuring import LOOKUP_SECONDS, Lookup, indices


def answered(address: str | None) -> str | None:
    lookup = Lookup(address)
    lookup.start()
    lookup.wait()
    return lookup.country


@pytest.mark.parametrize(
    ("body", "status", "country"),
    [
        ('{"country_code3": "DEU", "region": "Berlin"}', 200, "DEU"),
        ('{"country_code3": "fra"}', 200, "FRA"),
        ('{"country_code": "DE"}', 200, None),
        ('{"country_code3": "DE"}', 200, None),
        ('{"country_code3": null}', 200, None),
        ('{"country_code3": 7}', 200, None),
        ('["DEU"]', 200, None),
        ('"DEU"', 200, None),
        ("<html>Sign in to use this network</html>", 200, None),
        ("", 200, None),
        ('{"error": "too many requests"}', 429, None),
    ],
)
def test_only_a_country_code_of_three_letters_is_an_answer(body: str, status: int, country: str | None) -> None:
    with serving(body, status) as service:
        assert answered(service.address) == country
        assert service.requests == 1


def test_a_refused_connection_leaves_the_country_unknown() -> None:
    assert answered(refusing()) is None


def test_nobody_is_asked_without_an_address() -> None:
    assert answered(None) is None


def test_a_service_that_hangs_is_waited_for_two_seconds_at_most() -> None:
    assert LOOKUP_SECONDS <= 2
    with serving(None) as service:
        began = time.monotonic()
        assert answered(service.address) is None
        assert time.monotonic() - began < 10
        assert service.requests == 1


def test_the_time_that_has_passed_is_not_waited_again() -> None:
    with serving(None) as service:
        lookup = Lookup(service.address)
        lookup.start()
        lookup.wait()
        began = time.monotonic()
        lookup.wait()
        assert time.monotonic() - began < LOOKUP_SECONDS / 2


DRIVER = SimpleNamespace(
    nvmlInit=lambda: None,
    nvmlDeviceGetHandleByUUID={"GPU-aa": "first", "GPU-bb": "second", "GPU-cc": "third"}.__getitem__,
    nvmlDeviceGetIndex=["first", "second", "third"].index,
)
"""NVIDIA's driver on a machine with three GPUs."""


@pytest.mark.parametrize(
    ("gpus", "numbers"), [(["cc"], [2]), (["bb", "aa"], [1, 0]), (["aa", "dd"], None), ([], []), (None, None)]
)
def test_gpus_are_counted_by_the_numbers_of_the_driver(
    monkeypatch: pytest.MonkeyPatch, gpus: list[str] | None, numbers: list[int] | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", DRIVER)
    assert indices(gpus) == numbers


def test_without_a_driver_every_gpu_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert indices(["aa"]) is None
