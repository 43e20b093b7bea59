"""What is planted in synthetic data: the terms that a reading of a trained model must find.

A synthesizer writes it next to its files as `planted.json`; the cohort carries it on to explanations and report.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from i2moe.base.strict import Strict
from i2moe.contract.descriptions import Description, Names

PLANTED_FILE = "planted.json"


class PlantedTerm(Strict):
    """One cause of the label."""

    role: Literal["uniqueness", "synergy", "redundancy"]
    modalities: Names  # those that show it: one for uniqueness, else the two or more that show it together
    share: Annotated[float, Field(ge=0, le=1)] | None = None  # of the label's information, where it is known exactly
    outputs: Names | None = None  # labels of a multilabel task that follow from it; none: all
    words: str  # the term in a sentence, for a reader who knows the dataset


class Planted(Description):
    """`planted.json`; further keys hold the rule's numbers."""

    model_config = ConfigDict(extra="allow")

    synthetic: Literal[True]
    rule: str
    terms: list[PlantedTerm]  # none: the label follows from nothing
