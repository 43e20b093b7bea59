"""What the report must know about a dataset, in one file that depends on nothing but the dataset."""

from pathlib import Path

from i2moe.contract.descriptions import CohortDescription
from i2moe.contract.json_file import Description
from stages.shared.files import write_whole

REFERENCE = "linear-reference"  # in place of a model's name
CONSTANT = "best-constant"  # likewise: one prediction for all samples, the best on train


class Card(Description):
    """`results/cards/<dataset>.json`."""

    cohort: CohortDescription
    notes: dict[str, str]  # by modality, what a reader of results must know


def write_card(path: Path, card: Card) -> None:
    """Write a dataset's card."""
    write_whole(path, lambda partial: partial.write_text(card.to_json(), encoding="utf-8"))
