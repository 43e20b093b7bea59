"""Explain one model on one dataset, all seeds: one table per method that applies to it."""

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run


def explain(dataset: Dataset, model: Model) -> None:
    """Write the explanations of all seeds of a model: results/explanations/DATASET/MODEL/METHOD.parquet."""
    from i2moe.data import FeatureSet
    from i2moe.inference import choose_device, load
    from stages.explain.explained import Explained
    from stages.explain.methods import METHODS
    from stages.shared.explanations import EXPLAINED_SPLIT, write
    from stages.shared.predictions import read
    from stages.shared.runs import read_explaining, read_model

    settings = read_explaining()
    device = choose_device(settings.accelerator)
    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    config = read_model(dataset, model)
    predictions = read(paths.predictions(dataset, model), features.classes, EXPLAINED_SPLIT)
    explained = Explained(
        features=features,
        predictions=predictions,
        models=[load(features, config, paths.weights(dataset, model, seed), device) for seed in predictions.seeds],
        saw_missing=config.modality_dropout > 0,
        agreement_tolerance=settings.choices.agreement_tolerance,
    )
    tables = {name: compute(explained) for name, compute in METHODS.items()}
    write(paths.explanations(dataset, model), {name: table for name, table in tables.items() if table is not None})


if __name__ == "__main__":
    run(explain)
