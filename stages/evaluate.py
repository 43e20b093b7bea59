"""Evaluate one model on one dataset, all seeds: metrics and per-sample predictions."""

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.base.params import load_block
from stages.shared.files import write_whole


def evaluate(dataset: Dataset, model: Model) -> None:
    """Write the metrics (JSON, CSV) and the predictions (Parquet) of all seeds of a model."""
    import numpy as np
    import pandas as pd

    from i2moe.contract.cohort import SPLITS
    from i2moe.data import FeatureSet
    from i2moe.inference import choose_device, load, predict
    from stages.shared.predictions import Experts, frame
    from stages.shared.runs import read_model
    from stages.shared.scores import EVALUATED_SPLITS, score_table, write_scores

    seeds = load_block("run.seeds", list[int])
    device = choose_device(load_block("train.accelerator", str))
    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    config = read_model(dataset, model)
    tables = []
    logits: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for seed in seeds:
        trained = load(features, config, paths.weights(dataset, model, seed), device)
        for split in SPLITS:
            predictions = predict(trained, features, split)
            logits[split].append(predictions.logits)
            experts = None
            if predictions.expert_logits is not None:
                experts = Experts(trained.expert_names, predictions.expert_logits, predictions.weights)
            tables.append(frame(features, split, seed, predictions.logits, experts))
    print(f"{dataset} {model}, seeds {seeds}")
    scores = score_table(
        features.task,
        {split: features.labels[features.rows(split)] for split in EVALUATED_SPLITS},
        {split: np.stack(logits[split]) for split in EVALUATED_SPLITS},
        seeds,
        features.classes,
        features.groups("test"),
    )
    table = pd.concat(tables, ignore_index=True)
    write_whole(paths.predictions(dataset, model), lambda partial: table.to_parquet(partial, index=False))
    write_scores(scores, paths.scores(dataset, model), paths.metrics(dataset, model))


if __name__ == "__main__":
    run(evaluate)
