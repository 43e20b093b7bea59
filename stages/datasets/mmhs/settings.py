"""The settings under data.mmhs and synthetic.mmhs: every choice that turns MMHS150K's files into samples."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from i2moe.base.strict import Positive, Seed, Strict, in_order
from i2moe.contract.task import Licence, Task

Modality = Literal["tweet", "image", "ocr"]


class ImageSettings(Strict):
    """Images as VGG-16's features."""

    weights: str  # none | a name of torchvision's | a local file
    seed: Seed  # of weights `none`
    batch_size: Positive  # images


class Settings(Strict):
    """MMHS150K."""

    licence: ClassVar[Licence] = "restricted"

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(get_args(Modality))]
    labels: Literal["hate", "classes"]
    split: Literal["shares", "official"]
    incomplete: Literal["drop", "keep"] = (
        "drop"  # tweets that lack an image or words: left out | stay, with one modality
    )
    vectors: str  # file in word2vec's format under `raw`, of the words of tweets and of texts in images
    image: ImageSettings

    @property
    def task(self) -> Task:
        """What is predicted: one of two classes, or of six."""
        return "binary" if self.labels == "hate" else "multiclass"


class SyntheticSettings(Strict):
    """The synthetic MMHS150K."""

    tweets: Positive
    seed: Seed
