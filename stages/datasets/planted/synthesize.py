"""Write a synthetic table whose label follows from a known interaction: the inputs of all are the same."""

from typing import Annotated

import numpy as np
import pandas as pd
import typer

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.contract.planted import PlantedPair, PlantedTerm
from stages.datasets.planted.generators import Drawn, Pair, Term, composite, none, pure, switch, terms
from stages.datasets.planted.settings import SyntheticSettings
from stages.datasets.planted.tokens import tokens
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

PURE = {f"planted-{term.expert.replace('_', '-')}": term for term in terms()}
COMPOSITE = [terms()[0], terms()[2]]  # uniqueness of the first modality, and synergy
DATASETS = (*PURE, "planted-composite", "planted-switch", "planted-none", "planted-tokens")


def synthesize(dataset: Annotated[str, typer.Argument(help=", ".join(DATASETS))]) -> None:
    """Write data/synthetic/DATASET: table.csv, planted.json, and of planted-switch planted.csv with each sample's term.

    Raises:
        InputError: for another name.
    """
    if dataset not in DATASETS:
        raise InputError(f"unknown dataset {dataset!r}; {nearest(dataset, DATASETS)}")
    settings = load_block("synthetic.planted", SyntheticSettings)
    drawn = draw(dataset, settings)
    ids = [f"synthetic-{row:05d}" for row in range(settings.samples)]
    planted = describe(drawn)
    with new_files(dataset) as folder:
        table(drawn, ids).to_csv(folder / "table.csv", index=False, float_format="%.4f", lineterminator="\n")
        if drawn.of_sample is not None:
            of_sample = pd.DataFrame({"sample": ids, "term": drawn.of_sample})
            of_sample.to_csv(folder / "planted.csv", index=False, lineterminator="\n")
        numbers = settings.model_dump() | {"classes": drawn.num_classes, "best_accuracy": drawn.bayes}
        pairs = describe_pairs(drawn)
        rule = "; ".join([rule_of(drawn, planted), *(pair.words for pair in pairs or [])])
        write_planted(folder, rule, planted, pairs=pairs, **numbers)
    print(f"{paths.synthetic(dataset)}: {settings.samples} synthetic samples; {rule}")


def draw(dataset: str, settings: SyntheticSettings) -> Drawn:
    """Draw a dataset of DATASETS."""
    num, seed, noise = settings.samples, settings.seed, settings.noise
    if dataset == "planted-composite":
        return composite(COMPOSITE, num, seed, noise=noise)
    if dataset == "planted-switch":
        return switch(num, seed, noise=noise)
    if dataset == "planted-none":
        return none(num, seed, num_classes=settings.classes, noise=noise)
    if dataset == "planted-tokens":
        return tokens(num, seed, noise=noise)
    return pure(PURE[dataset], num, seed, num_classes=settings.classes, noise=noise)


def describe(drawn: Drawn) -> list[PlantedTerm]:
    """Say what is planted in what was drawn."""
    return [
        PlantedTerm(
            role=term.role,
            modalities=list(term.modalities),
            share=None if np.isnan(share) else share,
            words=f"{_part(share)} is {_words(term)}",
        )
        for term, share in drawn.shares.items()
    ]


def describe_pairs(drawn: Drawn) -> list[PlantedPair] | None:
    """Say which pairs of columns are planted, where any are."""
    return [
        PlantedPair(
            role=pair.role,
            modalities=[name for name, _ in pair.columns],
            features=[column_name(*column) for column in pair.columns],
            words=_words_of_pair(pair),
        )
        for pair in drawn.pairs
    ] or None


def _words_of_pair(pair: Pair) -> str:
    names = " and ".join(column_name(*column) for column in pair.columns)
    what = "a bit that both show" if pair.role == "redundancy" else "the exclusive or of their bits"
    return f"of {names} the label has {what}"


def rule_of(drawn: Drawn, planted: list[PlantedTerm]) -> str:
    """Say what the label follows from."""
    rule = "; ".join(term.words for term in planted) or "the label follows from nothing"
    told = "; of which samples is told by two bits that both modalities show"
    return rule if drawn.of_sample is None else rule + told


def _part(share: float) -> str:
    """Say how much of the label a term is: all, a share, or all of some samples."""
    if np.isnan(share):
        return "the label of some samples"
    return "the label" if share == 1 else f"{100 * share:.0f} % of the label"


def _words(term: Term) -> str:
    names = " and ".join(term.modalities)
    match term.role:
        case "uniqueness":
            return f"what {names} alone shows"
        case "redundancy":
            return f"what {names} each show"
        case "synergy":
            return f"the exclusive or of what {names} show, which none of them says anything of alone"


def column_name(modality: str, place: int) -> str:
    """Return the name of a column in the table, and so of the feature that is made of it."""
    return f"{modality}_{place}"


def table(drawn: Drawn, ids: list[str]) -> pd.DataFrame:
    """Lay out the samples: id, label, and the columns of each modality under its name."""
    columns = {
        column_name(name, column): values[:, column]
        for name, values in drawn.inputs.items()
        for column in range(values.shape[1])
    }
    return pd.DataFrame({"sample": ids, "label": drawn.labels} | columns)


if __name__ == "__main__":
    run(synthesize)
