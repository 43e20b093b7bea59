"""The settings under data.imdb and synthetic.imdb: every choice that turns MM-IMDb's files into samples."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from i2moe.base.strict import Positive, Strict, in_order
from i2moe.contract.task import Licence, Task

Modality = Literal["plot", "poster"]


WORDS, VGG = "words", "vgg"  # encoders; any other name is a Hugging Face model's


class PlotSettings(Strict):
    """Plots as means of word vectors, or as sequences of them or of a Hugging Face encoder's last hidden states."""

    encoder: str  # words | a local folder of a Hugging Face encoder, or its OWNER/NAME at the hub
    vectors: str  # of encoder words: file in word2vec's format under `raw`
    unknown: Literal["drop", "zero"]  # a plot none of whose words has a vector
    tokens: bool  # one step for each token, not their mean
    max_tokens: Positive  # of a plot that is a sequence or that a Hugging Face encoder reads


class PosterSettings(Strict):
    """Posters as VGG-16's features, or as a Hugging Face vision model's."""

    encoder: str  # vgg | a local folder of a Hugging Face vision model, or its OWNER/NAME at the hub
    layer: Literal["classifier", "convolution"]  # of encoder vgg
    weights: str  # of encoder vgg: none | a name of torchvision's | a local file
    seed: Annotated[int, Field(ge=0)]  # of weights `none`
    batch_size: Positive  # images


class Settings(Strict):
    """MM-IMDb."""

    licence: ClassVar[Licence] = "restricted"
    task: ClassVar[Task] = "multilabel"

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(get_args(Modality))]
    split: Literal["shares", "official"]
    incomplete: Literal["drop", "keep"] = "drop"  # movies that lack a plot or a poster
    plot: PlotSettings
    poster: PosterSettings


class SyntheticSettings(Strict):
    """The synthetic MM-IMDb."""

    movies: Positive
    seed: Annotated[int, Field(ge=0)]
