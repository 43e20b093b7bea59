"""The kinds of task and of licence."""

from typing import Literal

Task = Literal["binary", "multiclass", "multilabel", "regression"]
Licence = Literal["open", "restricted"]
