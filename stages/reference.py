"""A linear model on the same features and split: the row that tells whether fusion earns its cost."""

import warnings
from typing import TYPE_CHECKING, Any

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.base.command import Dataset, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sklearn.base import BaseEstimator

    from i2moe.prepared import Prepared

FOLDS = 3  # of the train split
CANDIDATES = [10.0**power for power in range(-6, 3)]  # strengths of the data against the penalty: C; of ridge 1 / alpha
MAX_NUMBERS = 2**28  # of an image modality that is flattened: a linear model of more columns takes hours
BLOCK_NUMBERS = 2**23  # read at a time
SEARCH_TOLERANCE = 1e-3  # of fits that only choose among these


def reference(dataset: Dataset) -> None:
    """Write the scores of a linear model and of a constant prediction, the linear one's predictions, and the card.

    The linear model is scikit-learn's logistic, for numbers ridge regression. How strongly it is penalised is chosen by
    cross-validation inside train: with more columns than rows the default fits noise.
    """
    import numpy as np
    import pandas as pd

    from i2moe.contract.cohort import SPLITS
    from i2moe.contract.descriptions import CohortDescription
    from i2moe.metrics import best_constant
    from i2moe.prepared import Prepared
    from stages.shared.cards import CONSTANT, REFERENCE, Card, write_card
    from stages.shared.files import write_whole
    from stages.shared.predictions import frame

    features = Prepared(paths.features(dataset), paths.cohort(dataset))
    rows = {split: features.rows(split) for split in SPLITS}
    inputs = {
        split: np.concatenate([vectors(features, name, own) for name in features.modalities], axis=1)
        for split, own in rows.items()
    }
    labels = features.labels[rows["train"]]
    strength, decide = fit_linear(features.task, inputs["train"], labels, features.groups("train"))
    logits = {split: decide(own) for split, own in inputs.items()}
    table = pd.concat([frame(features, split, 0, own) for split, own in logits.items()], ignore_index=True)
    write_whole(paths.predictions(dataset, REFERENCE), lambda partial: table.to_parquet(partial, index=False))
    print(f"{dataset} {REFERENCE}, C {strength:g}")
    score(features, dataset, REFERENCE, logits)
    print(f"{dataset} {CONSTANT}")
    constant = best_constant(features.task, labels)
    score(features, dataset, CONSTANT, {split: np.tile(constant, (len(own), 1)) for split, own in rows.items()})
    cohort = CohortDescription.read(paths.cohort(dataset).with_suffix(".json"))
    write_card(paths.card(dataset), Card(cohort=cohort, notes=features.notes))


def score(features: "Prepared", dataset: str, name: str, logits: "dict[str, NDArray[Any]]") -> None:
    """Write the metrics of logits [N, C] by split, as those of a model of one seed."""
    from stages.shared.scores import EVALUATED_SPLITS, score_table, write_scores

    scores = score_table(
        features.task,
        {split: features.labels[features.rows(split)] for split in EVALUATED_SPLITS},
        {split: logits[split][None] for split in EVALUATED_SPLITS},
        [0],
        features.classes,
        features.groups("test"),
    )
    write_scores(scores, paths.scores(dataset, name), paths.metrics(dataset, name))


def vectors(features: "Prepared", modality: str, rows: "NDArray[Any]") -> "NDArray[Any]":
    """Return samples of a modality as vectors [N, F].

    A sequence gives the mean over its real steps, an image the mean over its positions where all samples have more than
    `MAX_NUMBERS` numbers; anything else is flattened.
    """
    import numpy as np

    array = features.arrays[modality]
    if modality in features.lengths:
        return np.concatenate([_mean_steps(features, modality, part) for part in _blocks(array, rows)])
    if features.kinds[modality] == "image" and array.size > MAX_NUMBERS:
        return np.concatenate([array[part].mean(axis=(2, 3), dtype=float) for part in _blocks(array, rows)])
    flat: NDArray[Any] = array[rows].reshape(len(rows), -1)
    return flat


def _blocks(array: "NDArray[Any]", rows: "NDArray[Any]") -> "list[NDArray[Any]]":
    """Cut rows into blocks that fit into memory."""
    size = max(1, BLOCK_NUMBERS // array[0].size)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _mean_steps(features: "Prepared", modality: str, rows: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    own, lengths = features.arrays[modality][rows], features.lengths[modality][rows, None]
    is_real = np.arange(own.shape[1]) < lengths
    means: NDArray[Any] = np.einsum("ntf,nt->nf", own.astype(float), is_real.astype(float)) / lengths
    return means


def fit_linear(
    task: str, inputs: "NDArray[Any]", labels: "NDArray[Any]", groups: "NDArray[Any]"
) -> tuple[float, "Callable[[NDArray[Any]], NDArray[Any]]"]:
    """Fit the linear model with the penalty that predicts left-out train samples best.

    Args:
        task: binary | multiclass | multilabel | regression.
        inputs: [N, F] of the train split.
        labels: [N] or [N, C].
        groups: [N], which samples are left out together.

    Returns:
        The chosen strength of the data against the penalty, and a function from inputs [N, F] to logits [N, C].
    """
    import numpy as np

    turn = into_row_space(inputs)
    turned = turn(inputs)
    strength = choose_strength(task, turned, labels, groups)
    fitted: Any = linear(task, strength).fit(turned, labels)
    if task == "regression":
        return strength, lambda x: fitted.predict(turn(x))[:, None]
    if task in ("binary", "multiclass") and len(fitted.classes_) == 2:  # noqa: PLR2004
        return strength, lambda x: np.stack([np.zeros(len(x)), fitted.decision_function(turn(x))], axis=1)
    return strength, lambda x: fitted.decision_function(turn(x))


def into_row_space(inputs: "NDArray[Any]") -> "Callable[[NDArray[Any]], NDArray[Any]]":
    """Return a function from inputs [n, F] to their coordinates [n, N] in the space of the N train rows, if N < F.

    The weights of a linear model with a squared penalty are a sum of train rows, so that it loses nothing there: with
    32,768 columns and 168 rows it is the same model, 195 times smaller.
    """
    import numpy as np

    if len(inputs) >= inputs.shape[1]:
        return lambda x: x
    basis = np.linalg.qr(inputs.T.astype(np.float64)).Q  # [F, N]
    return lambda x: np.asarray(x @ basis)


def linear(task: str, strength: float, *, is_search: bool = False) -> "BaseEstimator":
    """Return the linear model of a task before it is fitted, in a search one that is quick rather than exact."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if task == "regression":
        return Ridge(alpha=1 / strength, solver="lsqr" if is_search else "auto")
    logistic = LogisticRegression(C=strength, max_iter=5000, tol=SEARCH_TOLERANCE if is_search else 1e-4)
    return OneVsRestClassifier(logistic) if task == "multilabel" else logistic


def choose_strength(task: str, inputs: "NDArray[Any]", labels: "NDArray[Any]", groups: "NDArray[Any]") -> float:
    """Choose from CANDIDATES by cross-validation with whole groups: least log loss, or squared error of numbers.

    A class that a fold never sees has probability 0 there, for every candidate alike. Arguments as in `fit_linear`.

    Raises:
        InputError: for a single group, of which nothing can be left out.
    """
    import numpy as np
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict

    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:  # noqa: PLR2004
        raise InputError("the train split is one group: cross-validation of the linear reference needs two or more")
    is_class = task in ("binary", "multiclass")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0) if is_class else GroupKFold(folds)
    method = "predict" if task == "regression" else "predict_proba"
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folds that lack a rare class or label
        kept = list(splitter.split(inputs, labels if is_class else None, groups))
        for strength in CANDIDATES:
            model = linear(task, strength, is_search=True)
            losses.append(left_out_loss(task, labels, cross_val_predict(model, inputs, labels, cv=kept, method=method)))
    return CANDIDATES[int(np.argmin(losses))]


def left_out_loss(task: str, labels: "NDArray[Any]", predicted: "NDArray[Any]") -> float:
    """Return the mean log loss of probabilities [N, C], or the mean squared error of numbers [N]."""
    import numpy as np
    from sklearn.metrics import log_loss

    if task == "regression":
        return float(np.square(predicted - labels).mean())
    if task == "multilabel":
        return float(log_loss(labels.ravel(), predicted.ravel(), labels=[0, 1]))
    return float(log_loss(np.eye(predicted.shape[1])[labels], predicted))


if __name__ == "__main__":
    run(reference)
