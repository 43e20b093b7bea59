"""Explain one model on one dataset, all seeds: one table per method that applies to it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.files import hash_files
from stages.shared.runs import TokenParams

if TYPE_CHECKING:
    from i2moe.data import FeatureSet


def explain(dataset: Dataset, model: Model) -> None:
    """Write the explanations of all seeds of a model: results/explanations/DATASET/MODEL/METHOD.parquet."""
    from i2moe.data import FeatureSet
    from i2moe.inference import choose_device, load
    from stages.explain.explained import Explained
    from stages.explain.methods import METHODS
    from stages.explain.tokens import find
    from stages.shared.explanations import EXPLAINED_SPLIT, write
    from stages.shared.predictions import read_of
    from stages.shared.runs import read_explaining, read_model

    settings = read_explaining()
    device = choose_device(settings.accelerator)
    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    config = read_model(dataset, model)
    predictions = read_of(features, paths.predictions(dataset, model), EXPLAINED_SPLIT)
    models = {seed: load(features, config, paths.weights(dataset, model, seed), device) for seed in predictions.seeds}
    folders = {seed: token_folder(dataset, model, seed, settings.choices.tokens) for seed in models}
    explained = Explained(
        features=features,
        predictions=predictions,
        models=list(models.values()),
        saw_missing=config.modality_dropout > 0,
        agreement_tolerance=settings.choices.agreement_tolerance,
        tokens=find(
            features, config, models, settings.choices.tokens, folders.__getitem__, read_words(features, dataset)
        ),
    )
    tables = {name: compute(explained) for name, compute in METHODS.items()}
    write(paths.explanations(dataset, model), {name: table for name, table in tables.items() if table is not None})
    for folder in folders.values():  # of other weights, finished or killed
        for other in set(folder.parent.glob("*")) - {folder}:
            shutil.rmtree(other)


def read_words(features: "FeatureSet", dataset: str) -> dict[str, list[list[str]]]:
    """Return the words that the steps of a sequence stand for, by modality, where its stage wrote them."""
    from i2moe.prepared import read_words as read

    found = {name: read(paths.words(dataset, name), lengths) for name, lengths in features.lengths.items()}
    return {name: words for name, words in found.items() if words}


def token_folder(dataset: str, model: str, seed: int, params: TokenParams) -> Path:
    """Return where what is found of a seed's tokens is kept, under a hash of all that it follows from."""
    import i2moe

    library = Path(i2moe.__file__).parent
    code = [file for name in ("explain/tokens", "model") for file in sorted((library / name).rglob("*.py"))]
    data = [paths.cohort(dataset), *sorted(paths.features(dataset).iterdir()), paths.model_settings(dataset, model)]
    weights = paths.weights(dataset, model, seed)
    return paths.explaining(dataset, model, seed, hash_files([*code, *data, weights], params.model_dump_json()))


if __name__ == "__main__":
    run(explain)
