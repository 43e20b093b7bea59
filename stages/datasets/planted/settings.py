"""The settings under synthetic.planted. The tables that are drawn are datasets under data.tables."""

from typing import Literal

from i2moe.base.strict import Positive, PositiveNumber, Seed, Strict


class SyntheticSettings(Strict):
    """The tables with a planted interaction."""

    samples: Positive
    classes: Literal[2, 4]  # where the label has one term or none
    noise: PositiveNumber  # standard deviation, where bits are -1 and 1
    seed: Seed
