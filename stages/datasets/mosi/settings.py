"""The settings under data.mosi and synthetic.mosi: every choice that turns CMU-MOSI's arrays into samples."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from i2moe.base.strict import Positive, Strict, in_order
from i2moe.contract.task import Licence, Task

Modality = Literal["vision", "audio", "text"]
MODALITIES = get_args(Modality)


class Settings(Strict):
    """CMU-MOSI."""

    licence: ClassVar[Licence] = "restricted"
    task: ClassVar[Task] = "regression"

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(MODALITIES)]
    split: Literal["shares", "official"]
    incomplete: Literal["drop", "keep"] = "drop"  # drop: those without text | keep: those with one modality at least
    non_finite: Literal["zero", "median"]  # what takes the place of infinity and NaN; the median is the train split's


class SyntheticSettings(Strict):
    """The synthetic CMU-MOSI."""

    videos: Positive
    seed: Annotated[int, Field(ge=0)]
