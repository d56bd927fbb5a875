from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from trainlib.data.partition import partition
from trainlib.errors import DataError

SHARES = [0.7, 0.15, 0.15]


def cohort(seed: int, patients: int = 60) -> tuple[list[str], np.ndarray]:
    """Patients with one to six cases each; three classes of which a patient has all or none, the last one rare."""
    rng = np.random.default_rng(seed)
    groups, contents = [], []
    for patient in range(patients):
        has = rng.random(3) < [0.6, 0.3, 0.1]
        for _ in range(rng.integers(1, 7)):
            groups.append(f"patient_{patient}")
            contents.append(has * rng.lognormal(0, 1, 3))
    return groups, np.array(contents)


def shares_of(parts: list[int] | np.ndarray, contents: np.ndarray, count: int = 3) -> np.ndarray:
    """Share of every class that each part holds, shape (parts, classes)."""
    return np.array([contents[np.array(parts) == part].sum(axis=0) for part in range(count)]) / contents.sum(axis=0)


def random_split(groups: list[str], rng: np.random.Generator) -> np.ndarray:
    """Shuffle the patients, and give them out until each part has its number of cases."""
    sizes, order = Counter(groups), list(dict.fromkeys(groups))
    part_of, done = {}, 0
    for patient in rng.permutation(order):
        part_of[patient] = int(np.searchsorted(np.cumsum(SHARES), done / len(groups), side="right"))
        done += sizes[patient]
    return np.array([part_of[group] for group in groups])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shares", [SHARES, [0.2] * 5, [0.5, 0.5]])
def test_no_patient_is_in_two_parts(seed: int, shares: list[float]) -> None:
    groups, contents = cohort(seed)
    parts_of = defaultdict(set)
    for group, part in zip(groups, partition(groups, contents.tolist(), shares, seed=seed), strict=True):
        parts_of[group].add(part)
    assert len(parts_of) == 60
    assert all(len(parts) == 1 for parts in parts_of.values())


@pytest.mark.parametrize("seed", range(5))
def test_sizes_are_within_two_cases_of_the_shares_although_patients_have_up_to_six(seed: int) -> None:
    groups, contents = cohort(seed)
    sizes = np.bincount(partition(groups, contents.tolist(), SHARES, seed=seed))
    assert np.abs(sizes - np.array(SHARES) * len(groups)).max() <= 2


@pytest.mark.parametrize("seed", range(5))
def test_class_content_is_closer_to_the_shares_than_in_nineteen_of_twenty_random_splits(seed: int) -> None:
    groups, contents = cohort(seed)
    rng = np.random.default_rng(seed)
    target = np.array(SHARES)[:, None]
    found = np.abs(shares_of(partition(groups, contents.tolist(), SHARES, seed=seed), contents) - target).mean()
    drawn = [np.abs(shares_of(random_split(groups, rng), contents) - target).mean() for _ in range(100)]
    assert found < np.quantile(drawn, 0.05)
    assert found < 0.5 * np.mean(drawn)


def test_single_cases_of_two_classes_are_divided_to_the_case() -> None:
    classes = np.arange(200) < 60
    parts = np.array(partition([str(i) for i in range(200)], np.eye(2)[classes.astype(int)].tolist(), SHARES, seed=1))
    assert [(int((parts == part).sum()), int(classes[parts == part].sum())) for part in range(3)] == [
        (140, 42),
        (30, 9),
        (30, 9),
    ]


def test_each_fold_gets_one_of_the_few_cases_of_a_rare_class() -> None:
    rare = np.zeros(100)
    rare[[3, 50, 51, 77, 98]] = 1
    contents = np.stack([1 - rare, rare], axis=1)
    parts = partition([str(i) for i in range(100)], contents.tolist(), [0.2] * 5, seed=0)
    assert sorted(parts[i] for i in np.flatnonzero(rare)) == [0, 1, 2, 3, 4]
    assert Counter(parts) == dict.fromkeys(range(5), 20)


def test_volumes_that_vary_a_hundredfold_are_divided_within_one_percent() -> None:
    volumes = np.random.default_rng(0).lognormal(0, 1, (100, 2))
    parts = partition([str(i) for i in range(100)], volumes.tolist(), SHARES, seed=0)
    assert Counter(parts) == {0: 70, 1: 15, 2: 15}
    np.testing.assert_allclose(shares_of(parts, volumes), np.array(SHARES)[:, None].repeat(2, axis=1), atol=0.01)


def test_the_unit_of_a_content_does_not_matter() -> None:
    groups, contents = cohort(1)
    scaled = contents * [1024.0, 1.0, 0.5]  # powers of two, for which floats are exact
    assert partition(groups, scaled.tolist(), SHARES, seed=0) == partition(groups, contents.tolist(), SHARES, seed=0)


def test_a_seed_gives_one_division_whatever_the_order_of_the_cases() -> None:
    groups, contents = cohort(0)
    parts = partition(groups, contents.tolist(), SHARES, seed=3)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(groups))
        shuffled = partition([groups[i] for i in order], contents[order].tolist(), SHARES, seed=3)
        assert shuffled == [parts[i] for i in order]


def test_seeds_give_different_divisions() -> None:
    groups, contents = cohort(0)
    assert len({tuple(partition(groups, contents.tolist(), SHARES, seed=seed)) for seed in range(10)}) == 10


def test_one_class_alone_or_no_class_at_all_leaves_the_sizes() -> None:
    groups = [str(i) for i in range(20)]
    for contents in ([[1.0]] * 20, [[]] * 20, [[0.0, 0.0]] * 20):
        assert Counter(partition(groups, contents, SHARES, seed=0)) == {0: 14, 1: 3, 2: 3}


def test_a_patient_with_most_of_the_cases_goes_to_the_largest_part_and_the_others_to_the_rest() -> None:
    groups = ["giant"] * 90 + [str(i) for i in range(10)]
    for seed in range(5):
        parts = partition(groups, [[1.0]] * 100, SHARES, seed=seed)
        assert Counter(parts) == {0: 90, 1: 5, 2: 5}
        assert parts[0] == 0


def test_as_many_patients_as_parts_give_one_to_each() -> None:
    groups = ["giant"] * 97 + ["a", "b", "b"]
    for seed in range(5):
        parts = partition(groups, [[1.0]] * 100, SHARES, seed=seed)
        assert {parts[0], parts[97], parts[98]} == {0, 1, 2}
        assert parts[0] == 0


def test_fewer_patients_than_parts_are_an_error() -> None:
    with pytest.raises(DataError, match="2 patients cannot be divided into 3 parts, for none is in two of them"):
        partition(["a", "a", "b"], [[1.0]] * 3, SHARES, seed=0)


def test_a_share_of_zero_gets_nothing_and_does_not_count_as_a_part() -> None:
    parts = partition(["a", "a", "b"], [[1.0]] * 3, [0.5, 0.5, 0.0], seed=0)
    assert set(parts) == {0, 1}
    assert Counter(partition([str(i) for i in range(10)], [[]] * 10, [0.0, 0.8, 0.2], seed=0)) == {1: 8, 2: 2}


@pytest.mark.parametrize(
    ("groups", "contents", "shares", "sentence"),
    [
        (["a", "b"], [[1.0]], [0.5, 0.5], "a group and a content for each case, but got 2 and 1"),
        ([], [], [0.5, 0.5], "but got 0 and 0"),
        (["a", "b"], [[1.0], [1.0, 2.0]], [0.5, 0.5], "to have one length"),
        (["a", "b"], [[1.0], [-1.0]], [0.5, 0.5], "finite numbers of at least 0"),
        (["a", "b"], [[1.0], [float("nan")]], [0.5, 0.5], "finite numbers of at least 0"),
        (["a", "b"], [[1.0], [1.0]], [0.5, 0.6], "add up to 1"),
        (["a", "b"], [[1.0], [1.0]], [1.5, -0.5], "at least 0 that add up to 1"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    groups: list[str], contents: list[list[float]], shares: list[float], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        partition(groups, contents, shares, seed=0)
