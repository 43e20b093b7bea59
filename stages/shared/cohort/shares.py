"""The settings under `split`: how a cohort is split where no official split is asked for."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from i2moe.base.strict import Seed, Strict

Share = Annotated[float, Field(gt=0, lt=1)]


class SplitParams(Strict):
    """Shares of the three splits."""

    train: Share
    validation: Share
    test: Share
    seed: Seed

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:  # noqa: PLR2004
            raise ValueError(f"train + validation + test is {total:g}; allowed: shares that sum to 1")
        return self
