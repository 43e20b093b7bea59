"""The top of the page: a row per dataset that says which model is better, and which explanations were found true."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from i2moe.metrics import arrow
from stages.report.charts import scores_chart
from stages.report.findings import has_signal
from stages.report.layout import difference_cell, records
from stages.shared.cards import CONSTANT, REFERENCE
from stages.shared.verdicts import BETTER, NOT_SHOWN, WORSE

NOT_TERMS = ("model", "reading", "also_named", "verdict")  # of a row of `planted_table`
CHECKED = {"lattice mean": "subsets of modalities", "weight": "weights"}  # readings that the top speaks of


@dataclass(frozen=True)
class Said:
    """A sentence, and what it is: good | bad | open (nothing shown)."""

    kind: str
    words: str
    is_pair: bool = False  # of an I2MoE and its fusion alone


@dataclass(frozen=True)
class Overview:
    """One dataset at the top of the page."""

    metric: str
    chart: Markup
    verdicts: list[Said]
    checks: list[Said]
    is_planted: bool  # whether the checks are against what is planted


def overview(
    label: str,
    scores: pd.DataFrame,
    differences: pd.DataFrame,
    planted: list[dict[str, Any]] | None,
    behaviour: dict[str, pd.DataFrame],
) -> Overview:
    """Return a dataset's row.

    Args:
        label: of the dataset.
        scores: a row per model, linear reference and best constant, of the lead metric: model, metric, mean, low, high.
        differences: of the dataset.
        planted: the rows of `planted_table` with what is planted; None of real data.
        behaviour: by model, the table of its experts' roles, where it has one.
    """
    metric = f"{scores['metric'].iloc[0]} {arrow(scores['metric'].iloc[0])}"
    others = scores.set_index("model")["mean"]
    models = scores[~scores["model"].isin([REFERENCE, CONSTANT])]
    means = ", ".join(f"{row['model']} {row['mean']:.3f}" for row in records(scores))
    chart = scores_chart(models, others[CONSTANT], others[REFERENCE], f"{label}: test {metric}: {means}")
    checks = planted_checks(planted) if planted is not None else behaviour_checks(behaviour)
    return Overview(
        metric, chart, [*signal_verdicts(differences), *pair_verdicts(differences)], checks, planted is not None
    )


def summary(rows: list[Overview]) -> list[str]:
    """Count what the rows say: of how many datasets an I2MoE is better than its fusion alone, and so on."""
    said = [{one.kind for one in row.verdicts if one.is_pair} for row in rows]
    compared = [kinds for kinds in said if kinds]
    checked = [row.checks for row in rows if row.is_planted]
    found = []
    if compared:
        better, worse = (sum(kind in kinds for kinds in compared) for kind in ("good", "bad"))
        found.append(
            f"Of {_datasets(len(compared))}, an I2MoE is shown to be better than its fusion method alone on {better}, "
            f"worse on {worse}; elsewhere no difference is shown."
        )
    if checked:
        right = sum(any(one.kind == "good" for one in checks) for checks in checked)
        wrong = sum(any(one.kind == "bad" for one in checks) for checks in checked)
        found.append(
            f"Of {_datasets(len(checked))} in which we know what is planted, an explanation finds all of it and "
            f"nothing else on {right}; on {wrong} one names what is not there."
        )
    return found


def _datasets(count: int) -> str:
    return f"{count} dataset{'s' if count != 1 else ''}"


def pair_verdicts(differences: pd.DataFrame) -> list[Said]:
    """Say of each I2MoE whether it is better than its fusion alone, and of all models whether than the linear one."""
    found = []
    kinds = {BETTER: "good", WORSE: "bad", NOT_SHOWN: "open"}
    for row in records(differences[~differences["against"].isin([REFERENCE, CONSTANT])]):
        words = f"{row['model']} {_than(row['verdict'], row['against'])}: {difference_cell(row)}"
        found.append(Said(kinds[row["verdict"]], words, is_pair=True))
    linear = differences[differences["against"] == REFERENCE]
    for verdict, kind in kinds.items():
        models = linear["model"][linear["verdict"] == verdict].tolist()
        if models:
            found.append(Said(kind, f"{' and '.join(models)} {_than(verdict, 'a linear model')}"))
    return found


def _than(verdict: str, other: str) -> str:
    return f"not shown to differ from {other}" if verdict == NOT_SHOWN else f"{verdict} than {other}"


def signal_verdicts(differences: pd.DataFrame) -> list[Said]:
    """Name the models that are not shown to be better than the best constant prediction."""
    rows = records(differences[differences["against"] == CONSTANT])
    models = [row["model"] for row in rows if not has_signal(row)]
    return [Said("bad", f"{' and '.join(models)}: no signal, not shown better than a constant")] if models else []


def planted_checks(planted: list[dict[str, Any]]) -> list[Said]:
    """Say of the readings that the top speaks of what they find of what is planted; of models with weights, if any."""
    weighted = {row["model"] for row in planted if row["reading"] == "weight"}
    found = []
    for row in planted:
        if row["reading"] in CHECKED and (row["model"] in weighted or not weighted):
            is_right = row["verdict"].startswith(("finds all", "finds the planted", "names nothing"))
            kind = "bad" if row["also_named"] else "good" if is_right else "open"
            model = f"{row['model']}, " if len(weighted) != 1 else ""
            found.append(Said(kind, f"{model}{CHECKED[row['reading']]}: {_in_short(row)}"))
    return found or [Said("open", "no reading of what is planted")]


def _in_short(row: dict[str, Any]) -> str:
    """Say what a reading finds, misses and names falsely."""
    is_found = {term: cell.startswith("found") for term, cell in row.items() if term not in NOT_TERMS}
    if row["verdict"].startswith("tells nothing") or not is_found:
        return str(row["verdict"])
    found, missed = ([term for term, own in is_found.items() if own is wanted] for wanted in (True, False))
    everything = "the planted term" if len(found) == 1 else f"all {len(found)} planted terms"
    parts = [f"finds {', '.join(found) if missed else everything}"] if found else []
    parts += [f"misses {', '.join(missed)}"] if missed else []
    parts += [f"names {row['also_named']} falsely"] if row["also_named"] else []
    return "; ".join(parts)


def behaviour_checks(behaviour: dict[str, pd.DataFrame]) -> list[Said]:
    """Say of real data, where nothing is known of the truth, how many experts behave as they are named."""
    found = [Said("open", "real data: no truth to check against")]
    for model, table in behaviour.items():
        roles = table.drop_duplicates(["expert", "seed"])
        is_named = (roles["role"] == roles["expert"]).groupby(roles["expert"], sort=False).all()
        kind = "good" if is_named.all() else "bad" if not is_named.any() else "open"
        found.append(
            Said(kind, f"{int(is_named.sum())} of {len(is_named)} experts of {model} behave as named, in every seed")
        )
    return found
