"""What says how an explanation method is shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from i2moe.contract.reading import Columns
from stages.shared.predictions import SplitPredictions

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Shown:
    """The model that is shown, next to the tables of its explanations."""

    where: str  # dataset and model, in words
    metric: str  # the lead metric of the task
    mixture: float  # the whole model's score in it
    predictions: SplitPredictions
    planted: list[str] | None  # the terms that are planted; None of real data


@dataclass(frozen=True)
class Drawing:
    """A chart of a table, and its caption."""

    chart: Callable[[pd.DataFrame, Shown], "Markup | None"]  # None where there is nothing to draw
    caption: Callable[[pd.DataFrame, Shown], str]


@dataclass(frozen=True)
class Explanation:
    """How the table of one method is shown."""

    columns: Columns  # the columns it must have, and the type of their values
    tab: str = "experts"  # of the page: experts | modalities | features | samples
    drawings: dict[str, Drawing] = field(default_factory=dict)  # by name, which is part of the file name
    tabulate: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table  # to the rows of reports/tables
