"""The JSON files of the data contract: what describes a cohort and what describes a modality, by name and type.

Whoever prepares a dataset writes them through these classes, and `i2moe.prepared.Prepared` reads them through the same.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from i2moe.base.strict import Count, FileStem, Positive
from i2moe.contract.json_file import Description
from i2moe.contract.masks import unpack_mask
from i2moe.contract.planted import Planted
from i2moe.contract.task import Licence, Task


class SplitCounts(Description):
    """How many samples a split has: of each class or with each label, or what their numbers are like."""

    samples: Count
    classes: dict[str, Count] | None = None
    mean_label: float | None = None
    std_label: float | None = None


class CohortDescription(Description):
    """`<cohort>.json`: what is predicted from what, which samples are in, and how many samples each filter removed."""

    dataset: str
    task: Task
    classes: list[str]  # in the order of the logits; none for regression
    modalities: Annotated[list[FileStem], Field(min_length=1)]  # in the order of the token tensors
    licence: Licence
    samples_in_raw_data: Count
    removed: dict[str, Count]
    flow: list[dict[str, str | int]]  # the same step by step, where the dataset counts it so
    samples: Count
    split: Literal["official", "by shares"]
    groups: Count
    splits: dict[str, SplitCounts]
    planted: Planted | None = None  # of synthetic data: what the label follows from
    presence: dict[str, Count] | None = None  # samples by the modalities that they have; None: all have all

    @property
    def shows_samples(self) -> bool:
        """Whether single samples may be shown: of open data, or of synthetic files in place of licensed ones."""
        return self.licence == "open" or self.planted is not None


class Fitted(Description):
    """What was fitted for a modality, and on which split; further keys hold the result."""

    model_config = ConfigDict(extra="allow")

    split: Literal["train"]
    samples: Count
    what: str


class ModalityDescription(Description):
    """`<modality>.json`: what the array holds; keys beyond these are for human readers."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["vector", "sequence", "volume", "image"]
    shape: Annotated[list[Positive], Field(min_length=1)]  # of one sample, as a model sees it
    mask: str | None = None  # of a volume: the voxels that are stored, see `i2moe.contract.masks`
    copies: Positive | None = None  # augmented copies of each train sample, where there are any
    note: str | None = None  # what a reader of results must know
    fitted: Fitted | None = None

    @model_validator(mode="after")
    def _mask_of_a_volume(self) -> Self:
        if self.kind == "volume":
            try:
                unpack_mask(self.mask or "", tuple(self.shape))
            except (ValueError, OverflowError) as error:
                raise ValueError("the mask of a volume is missing or does not fit its shape") from error
        return self


def describe_modality(kind: str, shape: list[int], about: dict[str, Any]) -> ModalityDescription:
    """Return a modality's description from its kind, the shape of one sample, and all else there is to say about it."""
    return ModalityDescription.model_validate({"kind": kind, "shape": shape} | about)
