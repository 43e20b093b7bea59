"""The settings under data.mosi and synthetic.mosi: every choice that turns CMU-MOSI's arrays into samples."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from i2moe.base.strict import Positive, Strict, in_order

MODALITIES = ("vision", "audio", "text")


class Settings(Strict):
    """CMU-MOSI."""

    raw: str
    modalities: Annotated[list[Literal["vision", "audio", "text"]], Field(min_length=1)]
    split: Literal["shares", "official"]
    non_finite: Literal["zero", "median"]  # what takes the place of infinity and NaN; the median is the train split's

    @field_validator("modalities")
    @classmethod
    def _in_order(cls, names: list[str]) -> list[str]:
        return in_order(names, MODALITIES)


class SyntheticSettings(Strict):
    """The synthetic CMU-MOSI."""

    videos: Positive
    seed: Annotated[int, Field(ge=0)]
