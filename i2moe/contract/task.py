"""The kinds of task."""

from typing import Literal

Task = Literal["binary", "multiclass", "multilabel", "regression"]
