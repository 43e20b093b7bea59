"""A linear model on the same features and split: the row that tells whether fusion earns its cost."""

from typing import TYPE_CHECKING, Any

from stages.shared.base import paths
from stages.shared.base.command import Dataset, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from i2moe.data import FeatureSet


def reference(dataset: Dataset) -> None:
    """Write the metrics of scikit-learn's logistic (for numbers, ridge) regression, and the dataset's card."""
    import numpy as np

    from i2moe.contract.descriptions import CohortDescription
    from i2moe.data import FeatureSet
    from stages.shared.cards import REFERENCE, Card, write_card
    from stages.shared.scores import EVALUATED_SPLITS, score_table, write_scores

    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    rows = {split: features.rows(split) for split in ("train", *EVALUATED_SPLITS)}
    inputs = {
        split: np.concatenate([vectors(features, name, own) for name in features.modalities], axis=1)
        for split, own in rows.items()
    }
    decide = fit_linear(features.task, inputs["train"], features.labels[rows["train"]])
    print(f"{dataset} {REFERENCE}")
    scores = score_table(
        features.task,
        {split: features.labels[rows[split]] for split in EVALUATED_SPLITS},
        {split: decide(inputs[split])[None] for split in EVALUATED_SPLITS},
        [0],
        features.classes,
    )
    write_scores(scores, paths.scores(dataset, REFERENCE), paths.metrics(dataset, REFERENCE))
    cohort = CohortDescription.read(paths.cohort(dataset).with_suffix(".json"))
    write_card(paths.card(dataset), Card(cohort=cohort, notes=features.notes))


def vectors(features: "FeatureSet", modality: str, rows: "NDArray[Any]") -> "NDArray[Any]":
    """Return samples of a modality as vectors [N, F]: flattened; of a sequence the mean over its real steps."""
    import numpy as np

    own: NDArray[Any] = features.arrays[modality][rows]
    if modality not in features.lengths:
        return own.reshape(len(rows), -1)
    lengths = features.lengths[modality][rows, None]
    is_real = np.arange(own.shape[1]) < lengths
    means: NDArray[Any] = np.einsum("ntf,nt->nf", own.astype(float), is_real.astype(float)) / lengths
    return means


def fit_linear(task: str, inputs: "NDArray[Any]", labels: "NDArray[Any]") -> Any:  # noqa: ANN401 (a function)
    """Fit the linear model, with scikit-learn's defaults; return a function from inputs [N, F] to logits [N, C]."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if task == "regression":
        ridge = Ridge().fit(inputs, labels)
        return lambda x: ridge.predict(x)[:, None]
    logistic = LogisticRegression(max_iter=5000)
    if task == "multilabel":
        return OneVsRestClassifier(logistic).fit(inputs, labels).decision_function
    logistic.fit(inputs, labels)
    if task == "binary":
        return lambda x: np.stack([np.zeros(len(x)), logistic.decision_function(x)], axis=1)
    return logistic.decision_function


if __name__ == "__main__":
    run(reference)
