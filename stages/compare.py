"""Compare the models of one dataset on the same test samples: is one better, and what does each gain over its base?"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from stages.shared.base import paths
from stages.shared.base.command import Dataset, run
from stages.shared.verdicts import verdict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from i2moe.prepared import Prepared
    from i2moe.resampling import Scores, Units
    from i2moe.selection import Array, Metric


class Pair(NamedTuple):
    """A model, and what it is compared with."""

    model: str
    against: str


def compare(dataset: Dataset) -> None:
    """Write differences in the lead metric (results/differences/DATASET.csv), and gains in all (DATASET.gains.csv)."""
    import numpy as np

    from i2moe.metrics import best_constant
    from i2moe.prepared import Prepared
    from stages.shared.cards import CONSTANT, REFERENCE
    from stages.shared.explanations import EXPLAINED_SPLIT
    from stages.shared.files import write_whole
    from stages.shared.predictions import read_of
    from stages.shared.runs import read_run

    settings = read_run()
    features = Prepared(paths.features(dataset), paths.cohort(dataset))
    logits = {
        model: read_of(features, paths.predictions(dataset, model), EXPLAINED_SPLIT).logits
        for model in [*settings.models, REFERENCE]
    }
    constant = best_constant(features.task, features.labels[features.rows("train")])
    logits[CONSTANT] = np.broadcast_to(constant, logits[REFERENCE].shape)
    table = differences(
        features, logits, pairs(settings.models, settings.vanilla.get(dataset, {}), REFERENCE, CONSTANT)
    )
    own = gains(features, logits, [Pair(*pair) for pair in settings.bases.get(dataset, {}).items()])
    write_whole(paths.differences(dataset), lambda partial: table.to_csv(partial, index=False, lineterminator="\n"))
    write_whole(paths.gains(dataset), lambda partial: own.to_csv(partial, index=False, lineterminator="\n"))
    for row in table.to_dict("records"):
        print(f"  {row['model']} against {row['against']}: {row['metric']} {row['difference']:+.4f}, {row['verdict']}")


def pairs(models: list[str], vanilla: dict[str, str], reference: str, constant: str) -> list[Pair]:
    """Return what is compared: each I2MoE with its vanilla fusion, all models with the reference, all with a constant.

    Args:
        models: of the run.
        vanilla: by I2MoE, the vanilla model over the same fusion, where one runs.
        reference: the name of the linear model.
        constant: the name of the best constant prediction.
    """
    own = [Pair(model, other) for model, other in vanilla.items()]
    return [*own, *(Pair(model, other) for other in (reference, constant) for model in models)]


def differences(features: "Prepared", logits: "dict[str, NDArray[np.float64]]", wanted: list[Pair]) -> "pd.DataFrame":
    """Return a row per pair: the difference in the lead metric, its interval, usable share of resamples, and a verdict.

    An interval is that of one comparison; verdicts are corrected by Holm's method for how many there are. Resamples are
    stratified by class, except against a constant: what that scores depends on how frequent a class happens to be in
    the test split, which strata would keep fixed.

    Args:
        features: the dataset.
        logits: of each model on the test split, [S, N, C].
        wanted: the pairs.
    """
    import pandas as pd

    from i2moe.metrics import lead_metric
    from i2moe.resampling import difference, holm, units_of
    from i2moe.selection import TASK_METRICS
    from stages.shared.cards import CONSTANT
    from stages.shared.explanations import EXPLAINED_SPLIT

    name = lead_metric(features.task)
    metric = TASK_METRICS[features.task][name]
    labels = features.labels[features.rows(EXPLAINED_SPLIT)]
    units = units_of(features.task, labels, features.groups(EXPLAINED_SPLIT))

    @cache  # a model is in several pairs
    def scores(model: str, *, in_one_pot: bool) -> "Scores":
        return scores_of(metric, labels, logits[model], units.one_pot if in_one_pot else units)

    found = []
    for pair in wanted:
        free = pair.against == CONSTANT
        first, second = (scores(model, in_one_pot=free) for model in pair)
        found.append(difference(first, second, units.one_pot if free else units))
    table = pd.DataFrame(
        [pair._asdict() | {"metric": name} | asdict(one) for pair, one in zip(wanted, found, strict=True)]
    )
    table = table.rename(columns={"value": "difference"})
    table["p_value"] = holm(table["p_value"].to_numpy())
    table["verdict"] = [
        verdict(row.difference, row.p_value, higher_is_better=metric.higher_is_better) for row in table.itertuples()
    ]
    return table


def scores_of(metric: "Metric", labels: "Array", logits: "NDArray[np.float64]", units: "Units") -> "Scores":
    """Return a model's metric of each seed, and on every resample.

    Args:
        metric: which.
        labels: of the test split, [N] or [N, C].
        logits: [S, N, C].
        units: of the N samples, which are drawn together.
    """
    import numpy as np

    from i2moe.resampling import resampled

    each = np.array([float(metric.compute(labels, one)) for one in logits])
    return each, resampled(metric.compute, labels, logits, units)


def gains(features: "Prepared", logits: "dict[str, NDArray[np.float64]]", wanted: list[Pair]) -> "pd.DataFrame":
    """Return a row per pair and metric: the difference with the interval of this one comparison, on paired resamples.

    Args:
        features: the dataset.
        logits: of each model on the test split, [S, N, C].
        wanted: models, each with the one that it starts from.
    """
    import pandas as pd

    from i2moe.resampling import difference, units_of
    from i2moe.selection import TASK_METRICS
    from stages.shared.explanations import EXPLAINED_SPLIT

    labels = features.labels[features.rows(EXPLAINED_SPLIT)]
    units = units_of(features.task, labels, features.groups(EXPLAINED_SPLIT))
    rows = []
    for name, metric in TASK_METRICS[features.task].items():
        models = {model for pair in wanted for model in pair}
        scores = {model: scores_of(metric, labels, logits[model], units) for model in models}
        for pair in wanted:
            found = difference(scores[pair.model], scores[pair.against], units)
            rows.append([*pair, name, found.value, found.low, found.high])
    return pd.DataFrame(rows, columns=[*Pair._fields, "metric", "difference", "low", "high"])


if __name__ == "__main__":
    run(compare)
