"""What a trained model must know of its data: `signature.json`, with which its weights alone can be used again."""

from typing import Annotated, Literal

from pydantic import Field

from i2moe.base.strict import FileStem, Positive, Strict
from i2moe.contract.json_file import Description
from i2moe.contract.task import Task


class ModalitySignature(Strict):
    """What one sample of a modality is."""

    kind: Literal["vector", "sequence", "volume", "image"]
    shape: Annotated[list[Positive], Field(min_length=1)]  # as a model sees it
    may_be_absent: bool = False  # whether some samples of the cohort lack it


class Signature(Description):
    """The inputs of a model and what its outputs mean; as `Prepared` has it, without any sample."""

    task: Task
    classes: list[str]  # in the order of the logits; none for regression
    inputs: Annotated[dict[FileStem, ModalitySignature], Field(min_length=1)]  # by modality, in order
    label_mean: float = 0.0  # of the train labels of a regression, on whose scale a model predicts
    label_std: float = 1.0

    @property
    def modalities(self) -> list[str]:
        """The modalities' names, in order."""
        return list(self.inputs)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of array of each modality."""
        return {name: own.kind for name, own in self.inputs.items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample of each modality."""
        return {name: tuple(own.shape) for name, own in self.inputs.items()}

    @property
    def may_be_absent(self) -> list[str]:
        """The modalities that some samples lack, in order."""
        return [name for name, own in self.inputs.items() if own.may_be_absent]

    @property
    def num_outputs(self) -> int:
        """How many logits a model returns: one per class, or one for regression."""
        return len(self.classes) or 1
