"""Whether the readings of trained models find what is planted in synthetic data: a table in words.

A reading names a term where, in every seed, the 95 % interval of the term's share lies above what the reading gives to
a term that does nothing. Seeds share their test samples, so that all must agree before anything is named; a reading
names nothing where a seed's model shows no gain. What is named though not planted is a false finding, and said so.
"""

from typing import Any

import pandas as pd

from i2moe.contract.planted import Planted, PlantedTerm

LEAST_SHARE = 0.05  # what a reading may give to a term that does nothing: the rest of what a model has not learned
# Readings that give every expert its part whatever it does: an expert that does nothing has an equal share.
EQUAL_SHARES = ("weight",)


def expected_terms(planted: Planted, modalities: list[str]) -> tuple[dict[str, list[PlantedTerm]], list[PlantedTerm]]:
    """Return the planted terms that can be found in a cohort, by the name that readings give them; and the others.

    Of a term whose modalities are not all in the cohort, what is left of a redundancy may still be found, as the
    uniqueness of a single one; a uniqueness or synergy is gone.

    Args:
        planted: what is planted.
        modalities: of the cohort.
    """
    found: dict[str, list[PlantedTerm]] = {}
    gone = []
    for term in planted.terms:
        present = [name for name in term.modalities if name in modalities]
        if not present or (term.role != "redundancy" and len(present) < len(term.modalities)):
            gone.append(term)
        else:
            is_unique = term.role == "uniqueness" or len(present) == 1
            found.setdefault(f"uniqueness_{present[0]}" if is_unique else term.role, []).append(term)
    return found, gone


def named_terms(shares: pd.DataFrame) -> tuple[list[str], str]:
    """Return the terms that one reading of a model names, and why it names none where it cannot tell.

    Args:
        shares: the rows of that reading in the table `shares`, all seeds.

    Examples:
        >>> rows = [("weight", 0, "a", 0.8, 0.7), ("weight", 0, "b", 0.2, 0.1)]
        >>> rows += [("weight", 1, "a", 0.6, 0.55), ("weight", 1, "b", 0.4, 0.35)]
        >>> named_terms(pd.DataFrame(rows, columns=["reading", "seed", "term", "share", "low"]))
        (['a'], '')
    """
    by_seed = shares.pivot_table("share", "seed", "term", sort=False, dropna=False)
    without = int(by_seed.isna().any(axis=1).sum())
    if without:
        return [], f"no signal in {without} of {len(by_seed)} seeds"
    lowest = shares.groupby("term", sort=False)["low"].min()
    if lowest.isna().any() or shares["low"].isna().any():
        return [], "no intervals"
    is_equal = shares["reading"].iloc[0] in EQUAL_SHARES
    nothing = 1 / len(lowest) if is_equal else LEAST_SHARE
    return lowest.index[lowest > nothing].tolist(), ""


def verdict(expected: list[str], named: list[str], why: str) -> str:
    """Say in words which planted terms a reading names, and which others.

    Args:
        expected: the planted terms; none in null data.
        named: by the reading.
        why: it cannot tell, where it cannot.

    Examples:
        >>> verdict(["synergy", "redundancy"], ["redundancy", "uniqueness_lab"], "")
        'finds redundancy, not synergy; names uniqueness_lab, which is not planted'
        >>> verdict(["synergy"], ["synergy"], "")
        'finds the planted term and names no other'
        >>> verdict([], [], "")
        'names nothing, and nothing is planted'
        >>> verdict([], ["synergy"], "")
        'names synergy, though nothing is planted'
        >>> verdict(["synergy"], [], "no signal in 1 of 3 seeds")
        'tells nothing: no signal in 1 of 3 seeds'
    """
    if why:
        return f"tells nothing: {why}"
    found, missed = ([name for name in expected if (name in named) == is_named] for is_named in (True, False))
    false = [name for name in named if name not in expected]
    if not expected:
        return (
            f"names {_listed(false)}, though nothing is planted" if false else "names nothing, and nothing is planted"
        )
    others = f"; names {_listed(false)}, which {'is' if len(false) == 1 else 'are'} not planted" if false else ""
    if not missed:
        all_of_them = "the planted term" if len(expected) == 1 else f"all {len(expected)} planted terms"
        return f"finds {all_of_them}{others or ' and names no other'}"
    if not found:
        return f"finds none of the planted terms{others}" if len(expected) > 1 else f"misses {missed[0]}{others}"
    return f"finds {_listed(found)}, not {_listed(missed)}{others}"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def planted_table(expected: list[str], shares: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row per model and reading: of each planted term whether it is found, false findings, and the verdict.

    Args:
        expected: the planted terms, by the names that readings give them.
        shares: the table `shares` of each model that has one.

    Returns:
        Columns model, reading, one per planted term (`found`, `not found` or `not told`, with the mean share where
        there is one), also_named, verdict.
    """
    rows = []
    for model, table in shares.items():
        for reading, own in table.groupby("reading", sort=False):
            named, why = named_terms(own)
            means = own.groupby("term", sort=False)["share"].mean()  # over the seeds that show something
            cells = {name: _cell(means.get(name, float("nan")), is_named=name in named, why=why) for name in expected}
            false = [name for name in named if name not in expected]
            rows.append(
                {"model": model, "reading": str(reading)}
                | cells
                | {"also_named": _listed(false) if false else "", "verdict": verdict(expected, named, why)}
            )
    return pd.DataFrame(rows)


def _cell(share: float, *, is_named: bool, why: str) -> str:
    word = "not told" if why else "found" if is_named else "not found"
    return word if pd.isna(share) else f"{word} ({share:.2f})"


def term_words(name: str, terms: list[PlantedTerm]) -> dict[str, Any]:
    """Say of a planted term what it is called, what it is, and which labels follow from it where not all do."""
    outputs = [output for term in terms for output in term.outputs or []]
    return {"name": name, "words": "; ".join(term.words for term in terms), "outputs": ", ".join(outputs)}
