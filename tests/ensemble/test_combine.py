"""Mean, vote and entropy against figures made by hand and by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy as reference

from trainlib.ensemble.combine import binary_entropy, check_method, combine_classes, combine_maps, entropy, methods_of
from trainlib.ensemble.opinions import Opinions
from trainlib.errors import ConfigError

# Three members, two voxels: in the first two sure members are outvoted in the mean by one that is surer.
MEMBERS = np.array([[[0.55, 0.9], [0.45, 0.1]], [[0.55, 0.8], [0.45, 0.2]], [[0.1, 0.1], [0.9, 0.9]]], np.float32)


def opinions(members: np.ndarray) -> Opinions:
    return Opinions(members.mean(axis=0), members.argmax(axis=1), np.eye(4))


def test_the_mean_and_the_vote_may_differ() -> None:
    assert combine_maps(opinions(MEMBERS), "mean").tolist() == [1, 0]
    assert combine_maps(opinions(MEMBERS), "vote").tolist() == [0, 0]


def test_the_mean_decides_among_classes_with_as_many_votes() -> None:
    two = MEMBERS[1:]
    assert two.argmax(axis=1).tolist() == [[0, 0], [1, 1]]
    assert combine_maps(opinions(two), "vote").tolist() == [1, 1]
    votes = combine_classes(two.swapaxes(1, 2).astype(float), "vote", multilabel=False)
    assert votes.argmax(axis=1).tolist() == [1, 1]


def test_staple_takes_the_label_maps_of_the_members() -> None:
    members = np.repeat(MEMBERS, 50, axis=2)
    assert set(combine_maps(opinions(members), "staple").tolist()) <= {0, 1}
    assert combine_maps(opinions(members), "staple").shape == (100,)


def test_votes_of_classes_are_the_share_of_members() -> None:
    found = combine_classes(MEMBERS.swapaxes(1, 2).astype(float), "vote", multilabel=False)
    assert found == pytest.approx(np.array([[2 / 3, 1 / 3], [2 / 3, 1 / 3]]), abs=2e-6)
    assert found.sum(axis=1) == pytest.approx([1, 1])


def test_votes_of_labels_count_each_label_alone_and_the_mean_breaks_a_tie() -> None:
    members = np.array([[[0.9, 0.6]], [[0.2, 0.3]]])
    found = combine_classes(members, "vote", multilabel=True)
    assert found == pytest.approx(np.array([[0.5, 0.5]]), abs=1e-6)
    assert found[0, 0] > 0.5 > found[0, 1]


def test_the_mean_of_classes_is_that_of_numpy() -> None:
    members = np.random.default_rng(0).dirichlet(np.ones(4), (5, 7))
    assert combine_classes(members, "mean", multilabel=False) == pytest.approx(members.mean(axis=0))


def test_entropy_is_that_of_scipy_in_nats_and_0_where_all_is_sure() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5))
    assert entropy(np.moveaxis(probabilities, -1, 0)) == pytest.approx(reference(probabilities, axis=-1))
    assert entropy(np.array([1.0, 0.0])) == 0
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert binary_entropy(np.array([0.5, 0.0, 1.0])) == pytest.approx([np.log(2), 0, 0])


def test_staple_is_refused_for_a_classification() -> None:
    assert methods_of("classification") == ("mean", "vote")
    check_method("staple", "segmentation")
    with pytest.raises(ConfigError, match=r"STAPLE weighs label maps, and a classification has none. Choose mean"):
        check_method("staple", "classification")
