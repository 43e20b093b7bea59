"""What `fit` and `explain` ask of labels, and the weights of classes.

Shapes: N samples, C classes or labels.
"""

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from i2moe.base.errors import InputError
from i2moe.contract.task import Task

SHOWN = 20  # classes that an error names


def checked_labels(estimator: BaseEstimator, y: Any, num_samples: int) -> NDArray[Any]:
    """Return labels [N] or [N, C] as an array, as many as there are samples.

    Raises:
        InputError: where there are none.
        ValueError: scikit-learn's, for another number of rows, or what is not finite.
    """
    if y is None:
        name = type(estimator).__name__
        raise InputError(f"{name} requires y to be passed, but the target y is None")
    numeric = "numeric" if isinstance(estimator, RegressorMixin) else None
    given: NDArray[Any] = check_array(y, ensure_2d=False, dtype=numeric, estimator=estimator, input_name="y")
    check_consistent_length(np.empty(num_samples), given)
    return given


def require_all_classes(labels: NDArray[Any], names: list[str], is_validation: NDArray[np.bool_]) -> None:
    """Refuse classes of labels [N], or columns of labels [N, C], that no train row has; validation rows [N] are others.

    Raises:
        InputError: naming the first of them.

    Examples:
        >>> require_all_classes(np.array([0, 1]), ["ill", "well"], np.array([False, True]))
        Traceback (most recent call last):
        i2moe.base.errors.InputError: y: no train row has the class 'well'; bring more samples, or leave it out
    """
    train = labels[~is_validation]
    present = train.any(axis=0) if labels.ndim > 1 else np.isin(range(len(names)), train)
    if not present.all():
        missing = names[int(np.flatnonzero(~present)[0])]
        kind = "label" if labels.ndim > 1 else "class"
        raise InputError(f"y: no train row has the {kind} {missing!r}; bring more samples, or leave it out")


def class_weights(given: Any, task: Task, classes: list[Any], labels: NDArray[Any]) -> list[float] | None:
    """Return the weight of each class in the loss, None for none.

    Args:
        given: None, balanced, or a dict of class to weight, which is 1 of those that it lacks.
        task: of the labels.
        classes: in their order.
        labels: those of the train rows [N], by the classes' order.

    Raises:
        InputError: for something else, a class that is not there, or a weight that is no number above 0.
    """
    if given is None:
        return None
    if task == "multilabel":
        raise InputError("class_weight has no meaning for a multilabel task; allowed: None")
    if isinstance(given, Mapping):
        return _given_weights(given, classes)
    if given != "balanced":
        raise InputError(f"class_weight {given!r}; allowed: None, balanced, a dict of class to weight")
    counts = np.bincount(labels, minlength=len(classes))
    return [float(len(labels) / (len(classes) * max(1, count))) for count in counts]


def _given_weights(given: Mapping[Any, Any], classes: list[Any]) -> list[float]:
    unknown = [name for name in given if name not in classes]
    if unknown:
        raise InputError(f"class_weight: y has no class {unknown[0]!r}; allowed: {classes[:SHOWN]}")
    for name, weight in given.items():
        if not isinstance(weight, numbers.Real) or not 0 < float(weight) < np.inf:
            raise InputError(f"class_weight of {name!r} is {weight!r}; allowed: numbers above 0")
    return [float(given.get(name, 1.0)) for name in classes]
