"""Words for a difference between two models: which is better, or that no difference is shown."""

BETTER, WORSE, NOT_SHOWN = "better", "worse", "no difference shown"
SIGNIFICANCE = 0.01  # for all comparisons of a dataset together


def verdict(difference: float, p_value: float, *, higher_is_better: bool) -> str:
    """Say whether a difference shows, by its corrected p-value, that the first is better or worse."""
    if p_value > SIGNIFICANCE:
        return NOT_SHOWN
    return BETTER if (difference > 0) == higher_is_better else WORSE
