"""The search for garbage: off while much is made that stays, and on again afterwards."""

from __future__ import annotations

import gc

import pytest

from trainlib.system.collecting import uncollected


def test_nothing_is_collected_in_the_block_and_all_that_is_made_after_it() -> None:
    class Node:
        other: Node

    def circles() -> None:
        for _ in range(10_000):
            node = Node()
            node.other = node

    def alive() -> int:
        return sum(isinstance(thing, Node) for thing in gc.get_objects())

    assert gc.isenabled()
    with uncollected():
        circles()
        assert not gc.isenabled()
        assert alive() == 10_000
    assert gc.isenabled()
    gc.unfreeze()
    gc.collect()
    assert alive() == 0


def test_it_stays_off_where_it_was_off_and_comes_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="wrong"), uncollected():
        raise ValueError("wrong")
    assert gc.isenabled()
    with uncollected(), uncollected():
        pass
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
