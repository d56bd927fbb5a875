"""Where dots stand that share a place."""

from __future__ import annotations

from trainlib.report.search.scales import spread


def test_dots_of_one_choice_stand_beside_each_other_and_near_their_place() -> None:
    places = [0.0, 0.5, 0.5, 0.5, 0.5, 1.0]
    moved = spread(places, [0.1, 0.3, 0.1, 0.2, 0.4, 0.1])
    assert len(set(moved)) == len(moved)
    assert all(abs(new - old) <= 0.05 for new, old in zip(moved, places, strict=True))
    assert (moved[0], moved[5]) == (0.0, 1.0)
    assert moved == spread(places, [0.1, 0.3, 0.1, 0.2, 0.4, 0.1])


def test_dots_of_many_choices_stay_nearer_to_their_own() -> None:
    places = [i / 40 for i in range(41) for _ in range(5)]
    moved = spread(places, [float(i) for i in range(len(places))])
    assert all(abs(new - old) < 0.5 / 40 for new, old in zip(moved, places, strict=True))


def test_dots_with_places_of_their_own_are_not_moved() -> None:
    assert spread([0.1, 0.2, 0.7], [1.0, 1.0, 1.0]) == [0.1, 0.2, 0.7]
    assert spread([], []) == []
