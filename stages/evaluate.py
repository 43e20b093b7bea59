"""Evaluate one model on one dataset, all seeds: metrics and per-sample predictions."""

from typing import Annotated

import typer

from stages import paths
from stages.command import run
from stages.params import load_params


def evaluate(
    dataset: Annotated[str, typer.Argument(help="a name of run.datasets")],
    model: Annotated[str, typer.Argument(help="a name under models.DATASET")],
) -> None:
    """Write the metrics (JSON, CSV) and the predictions (Parquet) of all seeds of a model."""
    params = load_params()
    import numpy as np
    import pandas as pd

    from i2moe.cohort import SPLITS
    from i2moe.data import FeatureSet
    from i2moe.inference import load, predict
    from stages.predictions import frame
    from stages.scores import EVALUATED_SPLITS, score_table, write_scores

    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    config = params.model(dataset, model)
    tables = []
    logits: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for seed in params.run.seeds:
        trained = load(features, config, paths.weights(dataset, model, seed))
        for split in SPLITS:
            predictions = predict(trained, features, split)
            logits[split].append(predictions.logits)
            tables.append(frame(features, split, seed, predictions, trained.expert_names))
    print(f"{dataset} {model}, seeds {params.run.seeds}")
    scores = score_table(
        features.task,
        {split: features.labels[features.rows(split)] for split in EVALUATED_SPLITS},
        {split: np.stack(logits[split]) for split in EVALUATED_SPLITS},
        params.run.seeds,
        features.classes,
    )
    target = paths.predictions(dataset, model)
    target.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables, ignore_index=True).to_parquet(target, index=False)
    write_scores(scores, paths.scores(dataset, model), paths.metrics(dataset, model))


if __name__ == "__main__":
    run(evaluate)
