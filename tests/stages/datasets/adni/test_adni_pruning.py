"""Pruning: hand-made genotypes (synthetic), every correlation worked out here."""

import numpy as np
import pytest

from stages.datasets.adni.genetic import pruning
from stages.datasets.adni.genetic.pruning import prune
from stages.datasets.adni.settings import PruneSettings

M = -127
# Six people. a and b differ in one person; c is a turned round; d is uncorrelated with a; e has a missing call.
A = [0, 0, 1, 1, 2, 2]
B = [0, 0, 1, 1, 2, 1]
C = [2, 2, 1, 1, 0, 0]
D = [0, 2, 0, 2, 0, 2]
E = [0, 0, 1, 1, 2, M]


def run(columns, maf, chromosome=None, window=50, max_r2=0.5):
    genotypes = np.array(columns, np.int8).T
    chromosomes = np.array(chromosome or ["1"] * len(columns))
    settings = PruneSettings(window=window, max_r2=max_r2)
    return prune(lambda numbers: genotypes[:, numbers], np.array(maf), chromosomes, settings).tolist()


def test_of_two_that_say_the_same_the_rarer_goes_and_the_later_where_equally_rare():
    assert run([A, C], [0.5, 0.5]) == [True, False]
    assert run([A, C], [0.3, 0.5]) == [False, True]
    assert run([A, D], [0.5, 0.5]) == [True, True]


def test_a_chain_is_cut_by_those_that_are_still_there():
    # b goes for a; c then meets a alone, and goes too.
    assert run([A, B, C, D], [0.5, 0.4, 0.5, 0.5]) == [True, False, False, True]
    # b is more frequent: a goes, then c, which is correlated with b.
    assert run([A, B, C, D], [0.4, 0.5, 0.45, 0.5]) == [False, True, False, True]


def test_the_threshold_is_the_squared_correlation():
    # Deviations of a: -1 -1 0 0 1 1, of b: -5/6 -5/6 1/6 1/6 7/6 1/6: r = 3 / sqrt(4 * 17/6), r2 = 27/34.
    assert run([A, B], [0.5, 0.4], max_r2=27 / 34 - 0.01) == [True, False]
    assert run([A, B], [0.5, 0.4], max_r2=27 / 34 + 0.01) == [True, True]
    # The missing call of e counts as the mean of the others, 0.8: deviations -.8 -.8 .2 .2 1.2 0, product with a 2.8,
    # squares 4 and 2.8: r2 = 2.8 / 4.
    assert run([A, E], [0.5, 0.4], max_r2=0.69) == [True, False]
    assert run([A, E], [0.5, 0.4], max_r2=0.71) == [True, True]


def test_only_variants_of_a_window_and_a_chromosome_are_compared():
    assert run([A, D, C], [0.5] * 3, window=3) == [True, True, False]
    assert run([A, D, C], [0.5] * 3, window=2) == [True, True, True]
    assert run([A, C], [0.5] * 2, ["1", "2"]) == [True, True]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
def test_the_size_of_a_block_does_not_matter(monkeypatch, block):
    generator = np.random.default_rng(0)
    genotypes = generator.integers(0, 3, (20, 60))
    genotypes[:, 1::2] = np.where(generator.random((20, 30)) < 0.3, genotypes[:, 1::2], genotypes[:, ::2])
    maf = generator.random(60)
    chromosomes = ["1"] * 25 + ["2"] * 35
    expected = slowly(genotypes, maf, chromosomes, 6, 0.2)
    assert 10 < sum(expected) < 55
    monkeypatch.setattr(pruning, "BLOCK", block)
    assert run(genotypes.T, maf, chromosomes, window=6, max_r2=0.2) == expected


def slowly(genotypes, maf, chromosomes, window, max_r2):
    """Follow the rule pair by pair."""
    stays = [True] * len(maf)
    squares = np.corrcoef(genotypes.T) ** 2
    for later in range(len(maf)):
        for earlier in range(max(0, later - window + 1), later):
            linked = squares[earlier, later] > max_r2 and chromosomes[earlier] == chromosomes[later]
            if stays[earlier] and stays[later] and linked:
                stays[later if maf[later] <= maf[earlier] else earlier] = False
    return stays
