"""Means over samples with paired intervals: every reading and control is of the same samples, resampled together."""

from dataclasses import dataclass

import numpy as np

from i2moe.resampling import Units, percentiles, resampled_means
from i2moe.selection import Floats


@dataclass(frozen=True)
class Mean:
    """A mean over samples, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def mean_of(values: Floats, units: Units) -> Mean:
    """Return the mean over samples [S] and its interval from resampled units; NaN samples have no value.

    Of a difference of two readings of the same samples this is the paired interval.

    Args:
        values: [S].
        units: of the S samples.
    """
    has_value = ~np.isnan(values)
    if not has_value.any():
        return Mean(float("nan"), float("nan"), float("nan"))
    sums, counted = (resampled_means(of, units) for of in (np.where(has_value, values, 0.0), has_value.astype(float)))
    on_resamples = np.divide(sums, counted, out=np.full(len(sums), np.nan), where=counted > 0)
    interval = percentiles(on_resamples, units)
    return Mean(float(values[has_value].mean()), interval.low, interval.high)
