"""What is planted in synthetic data: the terms that a reading of a trained model must find.

A synthesizer writes it into the folder of its files as `planted.json`; the cohort carries it on to explanations and
report.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from i2moe.base.strict import OnceEach, Strict
from i2moe.contract.json_file import Description, Names

PLANTED_FILE = "planted.json"


class PlantedTerm(Strict):
    """One cause of the label."""

    role: Literal["uniqueness", "synergy", "redundancy"]
    modalities: Annotated[Names, OnceEach]  # those that show it: one for uniqueness, else two or more
    share: Annotated[float, Field(ge=0, le=1)] | None = None  # of the label's information, where it is known exactly
    outputs: Names | None = None  # labels of a multilabel task that follow from it; none: all
    words: str  # the term in a sentence, for a reader who knows the dataset

    @model_validator(mode="after")
    def _modalities_of_a_role(self) -> Self:
        if (self.role == "uniqueness") != (len(self.modalities) == 1):
            raise ValueError(
                f"{self.role} of {len(self.modalities)} modalities; allowed: uniqueness of one, synergy and redundancy "
                "of two or more"
            )
        return self


class PlantedPair(Strict):
    """Two features, each a token of its own, that a part of the label follows from."""

    role: Literal["synergy", "redundancy"]
    modalities: Annotated[list[str], Field(min_length=2, max_length=2)]  # of each feature; may be the same
    features: Annotated[
        list[str], Field(min_length=2, max_length=2), OnceEach
    ]  # names as in the modality's description
    words: str  # the pair in a sentence, for a reader who knows the dataset


class Planted(Description):
    """`planted.json`; further keys hold the rule's numbers."""

    model_config = ConfigDict(extra="allow")

    synthetic: Literal[True]
    rule: str
    terms: list[PlantedTerm]  # none: the label follows from nothing
    pairs: list[PlantedPair] | None = None  # where single features are planted: what a reading of tokens must find


def read_planted(raw: Path) -> Planted | None:
    """Return what is planted in raw data, by the `planted.json` in their folder.

    Args:
        raw: the folder of the raw data. Data that are one file have none: what else is in its folder is not theirs.

    Raises:
        InputError: for a `planted.json` that breaks the contract.
    """
    path = raw / PLANTED_FILE
    return Planted.read(path) if path.exists() else None
