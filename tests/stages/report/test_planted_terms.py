"""What the page says of planted terms and the readings that find them or not, both ways."""

import numpy as np
import pandas as pd
import pytest

from i2moe.contract.planted import Planted, PlantedTerm
from i2moe.explain.lattice import lattice_parts
from i2moe.explain.shares import share_out, shows_gain
from i2moe.resampling import units_of
from stages.report.planted import expected_terms, named_terms, planted_table, term_words, verdict

TERMS = ["uniqueness_a", "uniqueness_b", "synergy", "redundancy"]
NAN = float("nan")


def term(role, *modalities, **more):
    return PlantedTerm(role=role, modalities=list(modalities), words=f"{role} of {' and '.join(modalities)}", **more)


def planted(*terms):
    return Planted(synthetic=True, rule="y", terms=list(terms))


def shares(reading, *seeds, half_width=0.02):
    """Return the rows of one reading: of each seed the shares of TERMS."""
    return pd.DataFrame(
        {
            "reading": reading,
            "seed": seed,
            "term": name,
            "share": own,
            "low": own - half_width,
            "high": own + half_width,
        }
        for seed, of_seed in enumerate(seeds)
        for name, own in zip(TERMS, of_seed, strict=True)
    )


def test_a_term_is_named_where_its_interval_is_above_nothing_in_every_seed():
    assert named_terms(shares("shapley", (0, 0, 0.9, 0.1), (0, 0, 0.8, 0.2))) == (["synergy", "redundancy"], "")
    assert named_terms(shares("shapley", (0, 0, 0.9, 0.1), (0, 0, 0.97, 0.03))) == (["synergy"], "")
    assert named_terms(shares("shapley", (0, 0, 0.9, 0.1), half_width=0.2)) == (["synergy"], "")


def test_a_weight_says_something_only_above_an_equal_share():
    assert named_terms(shares("weight", (0.25, 0.25, 0.25, 0.25))) == ([], "")
    assert named_terms(shares("weight", (0.4, 0.26, 0.2, 0.14))) == (["uniqueness_a"], "")
    assert named_terms(shares("leave-one-out", (0.4, 0.26, 0.2, 0.14)))[0] == TERMS


def test_a_seed_without_signal_or_interval_names_nothing_and_says_why():
    assert named_terms(shares("weight", (1, 0, 0, 0), (NAN,) * 4)) == ([], "no signal in 1 of 2 seeds")
    assert named_terms(shares("partial information", (1, 0, 0, 0)).assign(low=NAN)) == ([], "no intervals")


def test_every_planted_term_must_be_found_by_itself_and_others_are_false():
    expected = ["synergy", "redundancy"]
    both = verdict(expected, ["synergy", "redundancy"], "")
    assert both == "finds all 2 planted terms and names no other"
    assert "names no other" not in verdict(expected, ["synergy", "redundancy", "uniqueness_a"], "")
    assert verdict(expected, ["uniqueness_a", "uniqueness_b"], "") == (
        "finds none of the planted terms; names uniqueness_a and uniqueness_b, which are not planted"
    )
    assert verdict(["synergy"], ["uniqueness_a"], "") == "misses synergy; names uniqueness_a, which is not planted"


def test_the_table_has_a_row_per_model_and_reading_with_each_planted_term_in_words():
    tables = {
        "mult": shares("lattice mean", (0, 0, 0.6, 0.4)),
        "i2moe-mult": pd.concat([shares("weight", (0.4, 0.2, 0.2, 0.2)), shares("lattice mean", (NAN,) * 4)]),
    }
    table = planted_table(["synergy", "redundancy"], tables)
    assert table[["model", "reading"]].to_numpy().tolist() == [
        ["mult", "lattice mean"],
        ["i2moe-mult", "weight"],
        ["i2moe-mult", "lattice mean"],
    ]
    assert table["synergy"].tolist() == ["found (0.60)", "not found (0.20)", "not told"]
    assert table["also_named"].tolist() == ["", "uniqueness_a", ""]
    assert table["verdict"].tolist() == [
        "finds all 2 planted terms and names no other",
        "finds none of the planted terms; names uniqueness_a, which is not planted",
        "tells nothing: no signal in 1 of 1 seeds",
    ]


def test_of_null_data_the_page_says_that_a_reading_names_nothing_or_what_it_names():
    tables = {"mult": shares("lattice mean", (NAN,) * 4), "i2moe-mult": shares("weight", (0.4, 0.2, 0.2, 0.2))}
    assert planted_table([], tables)["verdict"].tolist() == [
        "tells nothing: no signal in 1 of 1 seeds",
        "names uniqueness_a, though nothing is planted",
    ]
    assert planted_table([], {"mult": shares("weight", (0.25,) * 4)})["verdict"].tolist() == [
        "names nothing, and nothing is planted"
    ]
    assert planted_table(["synergy"], {}).empty


def test_terms_of_modalities_that_are_left_out_cannot_be_found():
    truth = planted(
        term("uniqueness", "a"), term("synergy", "a", "b"), term("synergy", "a", "c"), term("redundancy", "a", "b", "c")
    )
    found, gone = expected_terms(truth, ["a", "b", "c"])
    assert {name: len(own) for name, own in found.items()} == {"uniqueness_a": 1, "synergy": 2, "redundancy": 1}
    assert gone == []
    found, gone = expected_terms(truth, ["b", "c"])
    assert list(found) == ["redundancy"]
    assert [own.role for own in gone] == ["uniqueness", "synergy", "synergy"]
    found, _ = expected_terms(truth, ["b"])
    assert list(found) == ["uniqueness_b"]  # one copy of what was redundant is left
    assert expected_terms(planted(), ["a"]) == ({}, [])


def test_a_term_of_some_labels_says_which():
    words = term_words("synergy", [term("synergy", "a", "b", outputs=["Crime", "Musical"])])
    assert words == {"name": "synergy", "words": "synergy of a and b", "outputs": "Crime, Musical"}
    assert term_words("synergy", [term("synergy", "a", "b")])["outputs"] == ""


def read(values, constant=0.5):
    """Return the table `shares` of simulated values by sample [S, K, N] of the subsets of two modalities."""
    units = units_of("regression", np.zeros(values.shape[2]), None)
    shown = shows_gain(values[:, -1], values[:, 0], np.full(values.shape[2], constant), units).shown
    own = share_out(TERMS, values, lattice_parts, units).where(shown)
    return pd.DataFrame(
        {
            "reading": "lattice mean",
            "seed": seed,
            "term": name,
            "share": own.share[seed, column],
            "low": own.low[seed, column],
        }
        for seed in range(len(values))
        for column, name in enumerate(TERMS)
    )


def simulate(means, generator, seeds=3, samples=60, deviation=0.2):
    """Draw values of samples around the mean value of each subset; a sample is as hard for every subset."""
    hardness = generator.normal(0, deviation, (1, 1, samples))
    return np.array(means)[None, :, None] + hardness + generator.normal(0, deviation / 2, (seeds, len(means), samples))


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((0.5, 0.5, 0.5, 0.9), ["synergy"]),
        ((0.5, 0.9, 0.9, 0.9), ["redundancy"]),
        ((0.5, 0.9, 0.5, 0.9), ["uniqueness_a"]),
        ((0.5, 0.9, 0.7, 1.1), ["uniqueness_a", "synergy", "redundancy"]),
    ],
)
def test_of_simulated_readings_those_of_the_truth_are_found_and_seldom_another(means, expected):
    generator = np.random.default_rng(0)
    named = [named_terms(read(simulate(means, generator)))[0] for _ in range(20)]
    assert sum(set(expected) <= set(own) for own in named) >= 19
    assert sum(bool(set(own) - set(expected)) for own in named) <= 2


def test_of_forty_simulated_models_that_know_nothing_at_most_two_have_a_reading_that_names_a_term():
    generator = np.random.default_rng(0)
    named = [named_terms(read(simulate((0.5, 0.5, 0.5, 0.5), generator)))[0] for _ in range(40)]
    assert sum(bool(own) for own in named) <= 2
