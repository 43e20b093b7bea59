"""Evaluate one model on one dataset, all seeds: the metrics of its predictions."""

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run


def evaluate(dataset: Dataset, model: Model) -> None:
    """Write the metrics of all seeds of a model (JSON, CSV)."""
    from i2moe.prepared import Prepared
    from stages.shared.predictions import read_of
    from stages.shared.scores import EVALUATED_SPLITS, score_table, write_scores

    features = Prepared(paths.features(dataset), paths.cohort(dataset))
    path = paths.predictions(dataset, model)
    predicted = {split: read_of(features, path, split) for split in EVALUATED_SPLITS}
    seeds = predicted["test"].seeds
    print(f"{dataset} {model}, seeds {seeds}")
    scores = score_table(
        features.task,
        {split: features.labels[features.rows(split)] for split in EVALUATED_SPLITS},
        {split: own.logits for split, own in predicted.items()},
        seeds,
        features.classes,
        features.groups("test"),
    )
    write_scores(scores, paths.scores(dataset, model), paths.metrics(dataset, model))


if __name__ == "__main__":
    run(evaluate)
