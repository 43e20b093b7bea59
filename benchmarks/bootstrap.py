"""Time of bootstrap intervals at MM-IMDb's real size, on synthetic predictions: `python -m benchmarks.bootstrap`.

Every label's AUROC on every resample, mean over seeds, as `stages.evaluate` needs it; next to it some of the resamples
one after another, their samples ranked anew each time, and the largest difference of the two. Process time, so that
other programs count less; set OMP_NUM_THREADS=1 for one thread.
"""

import time
from typing import Annotated

import numpy as np
import typer

from i2moe.metrics import label_metrics
from i2moe.resampling import RESAMPLES, Units, bootstrap_interval, resampled, units_of
from i2moe.selection import TASK_METRICS, Array, Floats
from stages.shared.base.command import run

MOST, LEAST = 0.5, 0.02  # how frequent labels are


def bootstrap(
    num_samples: Annotated[int, typer.Option(help="samples of the test split")] = 3894,
    num_labels: Annotated[int, typer.Option(help="labels")] = 23,
    num_seeds: Annotated[int, typer.Option(help="seeds")] = 3,
    plain: Annotated[int, typer.Option(help="resamples that are also computed one after another")] = 20,
) -> None:
    """Print how long the intervals take."""
    import scipy.stats  # noqa: F401 (so that its import, of a second, is not counted)

    generator = np.random.default_rng(0)
    frequencies = np.geomspace(LEAST, MOST, num_labels)
    labels = (generator.random((num_samples, num_labels)) < frequencies).astype(int)
    logits = (labels + 2 * generator.normal(size=(num_seeds, *labels.shape))).astype(np.float32)
    units = units_of("multilabel", labels)
    metrics = label_metrics("multilabel", [str(index) for index in range(num_labels)])
    print(f"{num_seeds} seeds, {num_samples} samples, {RESAMPLES} resamples")
    start = time.process_time()
    for metric in metrics.values():
        bootstrap_interval(metric.compute, labels, logits, units)
    print(f"{num_labels} AUROCs: {time.process_time() - start:.2f} s")
    for name, metric in TASK_METRICS["multilabel"].items():
        start = time.process_time()
        bootstrap_interval(metric.compute, labels, logits, units)
        print(f"{name}: {time.process_time() - start:.2f} s")
    start = time.process_time()
    one_by_one = plain_aurocs(labels, logits, units, plain)
    seconds = time.process_time() - start
    together = np.stack([resampled(metric.compute, labels, logits, units)[:plain] for metric in metrics.values()], -1)
    difference = np.nanmax(np.abs(together - one_by_one))
    print(f"{num_labels} AUROCs of {plain} resamples one after another: {seconds:.2f} s, difference {difference:.0e}")


def plain_aurocs(labels: Array, logits: Array, units: Units, num: int) -> Floats:
    """Rank the samples of each of the first resamples, for labels [N, C] and logits [S, N, C]; AUROCs [num, S, C]."""
    from scipy.stats import rankdata

    found = []
    for counts in units.drawn[:num]:
        rows = np.repeat(np.arange(len(labels)), counts[units.of_sample])
        positive = labels[rows] > 0
        many = positive.sum(axis=0)
        rank_sums = (rankdata(logits[:, rows], axis=1) * positive).sum(axis=1)
        found.append((rank_sums - many * (many + 1) / 2) / (many * (len(rows) - many)))
    return np.array(found)


if __name__ == "__main__":
    run(bootstrap)
