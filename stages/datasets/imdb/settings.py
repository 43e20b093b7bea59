"""The settings under data.imdb and synthetic.imdb: every choice that turns MM-IMDb's files into samples."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from i2moe.base.strict import Positive, Strict, in_order

Modality = Literal["plot", "poster"]


class PlotSettings(Strict):
    """Plots as means of word vectors."""

    vectors: str  # file in word2vec's format under `raw`
    unknown: Literal["drop", "zero"]  # a plot none of whose words has a vector


class PosterSettings(Strict):
    """Posters as VGG-16's features."""

    weights: str  # none | a name of torchvision's | a local file
    seed: Annotated[int, Field(ge=0)]  # of weights `none`
    batch_size: Positive  # images


class Settings(Strict):
    """MM-IMDb."""

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(get_args(Modality))]
    split: Literal["shares", "official"]
    plot: PlotSettings
    poster: PosterSettings


class SyntheticSettings(Strict):
    """The synthetic MM-IMDb."""

    movies: Positive
    seed: Annotated[int, Field(ge=0)]
