"""The explanation methods, by name: each turns a trained model's seeds into one table, or None where it does not apply.

A new method is a function in `of_experts` or `of_modalities` with a line in METHODS, and its figures in
`stages.report.explanations`.
"""

from collections.abc import Callable

import pandas as pd

from stages.explain import of_experts, of_modalities
from stages.explain.explained import Explained
from stages.explain.tokens import TOKEN_METHODS, TokenTable


def of_tokens(table: TokenTable) -> Callable[[Explained], pd.DataFrame | None]:
    """Return the method that makes a table of what was found of tokens, of models that see sequences of them."""
    return lambda explained: table(explained.tokens) if explained.tokens else None


METHODS: dict[str, Callable[[Explained], pd.DataFrame | None]] = {
    "experts": of_experts.experts,
    "expert_seeds": of_experts.expert_seeds,
    "gate": of_experts.gate,
    "agreement": of_experts.agreements,
    "example": of_experts.example,
    "coalitions": of_modalities.coalitions,
    "gain": of_modalities.gain,
    "shares": of_modalities.shares,
    "leaders": of_modalities.leaders,
    "parts": of_experts.parts,
    "sample_parts": of_experts.sample_parts,
    "weights_replaced": of_experts.weights_replaced,
    "behaviour": of_experts.behaviour,
    "role_loss": of_experts.role_loss,
    "similarity": of_experts.similarity,
    "interactions": of_modalities.interactions,
    "additive": of_modalities.additive,
    "robustness": of_modalities.robustness,
    "patterns": of_modalities.patterns,
    "local": of_modalities.local,
    **{name: of_tokens(table) for name, table in TOKEN_METHODS.items()},
}
