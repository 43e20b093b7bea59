"""Evaluate one model on one dataset, all seeds: the metrics of its predictions."""

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.base.params import load_block


def evaluate(dataset: Dataset, model: Model) -> None:
    """Write the metrics of all seeds of a model (JSON, CSV)."""
    from i2moe.prepared import Prepared
    from stages.shared.predictions import read
    from stages.shared.scores import EVALUATED_SPLITS, score_table, write_scores

    seeds = load_block("run.seeds", list[int])
    features = Prepared(paths.features(dataset), paths.cohort(dataset))
    print(f"{dataset} {model}, seeds {seeds}")
    path = paths.predictions(dataset, model)
    scores = score_table(
        features.task,
        {split: features.labels[features.rows(split)] for split in EVALUATED_SPLITS},
        {split: read(path, features.classes, split).logits for split in EVALUATED_SPLITS},
        sorted(seeds),
        features.classes,
        features.groups("test"),
    )
    write_scores(scores, paths.scores(dataset, model), paths.metrics(dataset, model))


if __name__ == "__main__":
    run(evaluate)
