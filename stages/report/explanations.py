"""How each explanation method is shown: the columns of its table, its rows in the report's tables, its figures.

A new method is an entry in one of the three, and a method of `stages.explain.methods` under the same name.
"""

from stages.report.of_experts import OF_EXPERTS
from stages.report.of_modalities import OF_MODALITIES
from stages.report.of_tokens import OF_TOKENS
from stages.report.shown import Explanation

EXPLANATIONS: dict[str, Explanation] = OF_EXPERTS | OF_MODALITIES | OF_TOKENS
