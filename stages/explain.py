"""Explain one model on one dataset: its experts' weights and abilities, and what the whole model uses."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stages import paths
from stages.command import run
from stages.params import load_params

if TYPE_CHECKING:
    import pandas as pd

    from i2moe.data import FeatureSet
    from stages.predictions import SplitPredictions

SPLIT = "test"


def explain(
    dataset: Annotated[str, typer.Argument(help="a name of run.datasets")],
    model: Annotated[str, typer.Argument(help="a name under models.DATASET")],
) -> None:
    """Write cohort.json and coalitions.csv; for an I2MoE experts.csv and agreement.csv; for open data example.json."""
    params = load_params()
    import pandas as pd

    from i2moe.data import FeatureSet
    from i2moe.explain.experts import agreement, summarise_experts
    from i2moe.inference import load
    from stages.predictions import read

    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    predictions = read(paths.predictions(dataset, model), features.classes, SPLIT)
    labels = features.labels[features.rows(SPLIT)]
    train_labels = features.labels[features.rows("train")]
    folder = paths.explanations(dataset, model)
    folder.mkdir(parents=True, exist_ok=True)
    # The report shows who was in; through this copy it depends on the datasets that were run, and on no other.
    cohort = json.loads(paths.cohort(dataset).with_suffix(".json").read_text()) | {"notes": features.notes}
    (folder / "cohort.json").write_text(json.dumps(cohort, indent=2, ensure_ascii=False) + "\n")
    trained = [load(features, params.model(dataset, model), paths.weights(dataset, model, s)) for s in params.run.seeds]
    coalition_table(trained, features).to_csv(folder / "coalitions.csv", index=False)
    if not predictions.experts:
        return
    summaries = summarise_experts(
        features.task, predictions.experts, labels, predictions.expert_logits, predictions.weights, train_labels
    )
    pd.DataFrame([asdict(summary) for summary in summaries]).to_csv(folder / "experts.csv", index=False)
    for one in summaries:
        dead = f", DEAD in {one.dead_seeds} of {one.num_seeds} seeds" if one.dead_seeds else ""
        print(f"  {one.expert}: weight {one.mean_weight:.3f}, alone {one.alone:.3f} (chance {one.chance:.3f}){dead}")
    if features.task == "regression":
        return
    shares = agreement(features.task, labels, predictions.logits, predictions.expert_logits)
    pd.DataFrame([shares]).to_csv(folder / "agreement.csv", index=False)
    if features.licence == "open" and features.task != "multilabel":
        example = explain_example(features, predictions, params.run.seeds[0])
        (folder / "example.json").write_text(json.dumps(example, indent=2) + "\n")


def coalition_table(trained: list[Any], features: "FeatureSet") -> "pd.DataFrame":
    """Score every subset of the modalities, mean over seeds: a column a modality (1: intact), then the metrics."""
    import numpy as np
    import pandas as pd

    from i2moe.explain.coalitions import coalition_logits
    from i2moe.metrics import compute_metrics

    labels = features.labels[features.rows(SPLIT)]
    by_seed = [coalition_logits(model, features, SPLIT) for model in trained]
    rows = []
    for kept in by_seed[0]:
        scores = [compute_metrics(features.task, labels, logits[kept]) for logits in by_seed]
        means = {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
        rows.append({name: int(name in kept) for name in features.modalities} | means)
    return pd.DataFrame(rows)


def explain_example(features: "FeatureSet", predictions: "SplitPredictions", seed: int) -> dict[str, Any]:
    """Explain one sample as the paper's Figure 3 does: expert logits, weights, weighted logits, by class."""
    from i2moe.explain.experts import is_dead, telling_sample
    from i2moe.metrics import TASK_METRICS, chance, lead_metric

    labels = features.labels[features.rows(SPLIT)]
    logits, expert_logits, weights = predictions.logits[0], predictions.expert_logits[0], predictions.weights[0]
    metric = TASK_METRICS[features.task][lead_metric(features.task)]
    constant = chance(features.task, features.labels[features.rows("train")], labels)
    index = telling_sample(labels, logits, expert_logits, weights)
    return {
        "sample_id": predictions.sample_ids[index],
        "seed": seed,
        "label": features.classes[labels[index]],
        "predicted": features.classes[int(logits[index].argmax())],
        "classes": features.classes,
        "logits": logits[index].tolist(),
        "experts": [
            {
                "expert": name,
                "weight": float(weights[index, position]),
                "logits": expert_logits[index, position].tolist(),
                "dead": bool(is_dead(features.task, metric.compute(labels, expert_logits[:, position]), constant)),
            }
            for position, name in enumerate(predictions.experts)
        ],
    }


if __name__ == "__main__":
    run(explain)
