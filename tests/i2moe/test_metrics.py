"""Metrics against scikit-learn and hand-computed values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from i2moe.base.errors import InputError
from i2moe.metrics import chance, label_metrics
from i2moe.selection import TASK_METRICS, check_selection, compute_metrics, ranked_auroc, softmax


def random_case(seed, classes, samples=40):
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), generator.integers(classes, size=samples)])
    return labels, generator.normal(size=(len(labels), classes)).round(1)  # rounded: ties


@given(seed=st.integers(0, 1000), classes=st.integers(2, 5))
@settings(max_examples=50, deadline=None)
def test_classification_metrics_equal_scikit_learn(seed, classes):
    labels, logits = random_case(seed, classes)
    ours = compute_metrics("multiclass", labels, logits)
    probabilities = softmax(logits)
    score = probabilities[:, 1] if classes == 2 else probabilities
    assert ours["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, logits.argmax(1)))
    assert ours["auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(labels, score, multi_class="ovr"))
    expected = sklearn_metrics.f1_score(labels, logits.argmax(1), average="macro", labels=range(classes))
    assert ours["macro_f1"] == pytest.approx(expected)


@given(seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_multilabel_metrics_equal_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    labels = np.vstack([np.zeros((1, 3), int), np.ones((1, 3), int), generator.integers(2, size=(30, 3))])
    logits = generator.normal(size=labels.shape)
    ours = compute_metrics("multilabel", labels, logits)
    for average in ("micro", "macro"):
        expected = sklearn_metrics.f1_score(labels, logits > 0, average=average, zero_division=0)
        assert ours[f"{average}_f1"] == pytest.approx(expected)
    assert ours["macro_auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(labels, logits, average="macro"))


def test_regression_metrics_by_hand():
    ours = compute_metrics("regression", np.array([1.0, 2.0, 3.0]), np.array([[1.0], [2.0], [5.0]]))
    assert ours["mae"] == pytest.approx(2 / 3)
    assert ours["r2"] == pytest.approx(1 - 4 / 2)


def test_what_the_data_do_not_define_is_nan_not_zero():
    assert np.isnan(compute_metrics("binary", np.zeros(3, int), np.zeros((3, 2)))["auroc"])
    assert np.isnan(compute_metrics("regression", np.ones(3), np.zeros((3, 1)))["r2"])


def area(positive, scores):
    is_defined = 0 < positive.sum() < len(positive)
    return sklearn_metrics.roc_auc_score(positive, scores) if is_defined else np.nan


def f1(truth, predicted, average, classes=None):
    return sklearn_metrics.f1_score(truth, predicted, average=average, labels=classes, zero_division=0)


def signs(labels, predicted, counted):
    is_defined = labels.min() < 0 < labels.max()
    return ((predicted > 0) == (labels > 0))[counted].mean() if is_defined else np.nan


def on_classes(labels, logits):
    classes, probabilities = np.arange(logits.shape[1]), softmax(logits)
    areas = [area(labels == one, probabilities[:, one]) for one in classes]
    return {
        "accuracy": sklearn_metrics.accuracy_score(labels, logits.argmax(1)),
        "auroc": areas[1] if len(classes) == 2 else np.mean(areas),
        "macro_f1": f1(labels, logits.argmax(1), "macro", classes),
    }


def on_labels(labels, logits):
    areas = [area(*one) for one in zip(labels.T, logits.T, strict=True)]
    by_label = {f"auroc_of_{index}": one for index, one in enumerate(areas)}
    averages = {f"{average}_f1": f1(labels, logits > 0, average) for average in ("micro", "macro")}
    return averages | {"macro_auroc": np.mean(areas)} | by_label


def on_numbers(labels, logits):
    predicted = logits[:, 0]
    varies = np.ptp(labels) > 0, np.ptp(predicted) > 0
    return {
        "mae": sklearn_metrics.mean_absolute_error(labels, predicted),
        "r2": sklearn_metrics.r2_score(labels, predicted) if varies[0] else np.nan,
        "pearson": np.corrcoef(labels, predicted)[0, 1] if all(varies) else np.nan,
        "acc2_neutral_negative": signs(labels, predicted, np.ones(len(labels), bool)),
        "acc2_neutral_excluded": signs(labels, predicted, labels != 0),
    }


PLAIN = {"binary": on_classes, "multiclass": on_classes, "multilabel": on_labels, "regression": on_numbers}


@pytest.mark.parametrize("kind", ["all differ", "ties", "constant"])
@pytest.mark.parametrize("task", list(PLAIN))
def test_metrics_of_counts_are_those_of_the_samples_that_count(task, kind):
    """Counts of few samples, so that classes are missing in many rows, against libraries on the samples repeated."""
    generator = np.random.default_rng(list(PLAIN).index(task))
    num_outputs = {"binary": 2, "regression": 1}.get(task, 4)
    logits = generator.normal(size=(15, num_outputs))
    logits = {"all differ": logits, "ties": logits.round(), "constant": np.full_like(logits, 0.1)}[kind]
    classes = np.resize([0, 0, 1, 0, 1], 15)
    labels = {
        "binary": classes,
        "multiclass": np.where(np.arange(15) < 13, classes, 2),  # a fourth class is in no sample
        "multilabel": (generator.random((15, 4)) < [0.1, 0.3, 0.9, 0]).astype(int),
        "regression": generator.integers(-3, 4, size=15) / 10,
    }[task]
    counts = generator.multinomial(15, np.full(15, 1 / 15), size=100)
    counts[:4] = 15 * np.eye(15, dtype=int)[:4]  # of a single sample nothing but the means is defined
    expected = [PLAIN[task](labels[rows], logits[rows]) for rows in (np.repeat(np.arange(15), own) for own in counts)]
    metrics = TASK_METRICS[task] | label_metrics(task, list("0123"))
    assert set(metrics) == set(expected[0])
    for name, metric in metrics.items():
        wanted = np.array([one[name] for one in expected])
        found = metric.compute(labels, logits, counts)
        assert found == pytest.approx(wanted, rel=0, abs=1e-12, nan_ok=True), name
        once = metric.compute(labels, logits)
        assert once == pytest.approx(PLAIN[task](labels, logits)[name], rel=0, abs=1e-12, nan_ok=True), name


def test_a_prediction_that_is_not_a_number_has_no_rank():
    assert np.isnan(ranked_auroc(np.array([True, False, False]), np.array([1.0, np.nan, 0.0])))


def test_chance_is_the_best_constant_prediction_of_train_scored_on_other_labels():
    train = np.array([0, 1, 1, 1, 2])
    assert chance("multiclass", train, np.array([1, 1, 0, 2])) == 0.5
    assert chance("regression", np.array([0.0, 1.0, 5.0]), np.array([1.0, 3.0])) == 1.0  # median 1
    # Multilabel: predicting the first label alone gives micro-F1 2·3/(3+3+1), better than both: 2·4/(4+6)... on train
    labels = np.array([[1, 0], [1, 0], [1, 1]])
    assert chance("multilabel", labels, labels) == pytest.approx(max(2 * 3 / (4 + 3), 2 * 4 / (4 + 6)))


def test_selection_metric_is_one_of_the_tasks_or_the_loss():
    assert check_selection("binary", "auroc") is True
    assert check_selection("regression", "mae") is False
    assert check_selection("binary", "loss") is False
    with pytest.raises(
        InputError, match="'mae' is not a metric of a binary task; allowed: auroc, accuracy, macro_f1, loss"
    ):
        check_selection("binary", "mae")


SCORES = np.array([1.5, -0.5, 0.0, 2.0, -1.0, 0.0])
PREDICTED = np.array([[0.2], [0.1], [-0.3], [1.0], [-2.0], [0.4]])  # right: 1st, 4th, 5th; the neutral ones: 3rd, 6th


def test_sign_accuracy_counts_neutral_labels_as_negative_or_not_at_all():
    ours = compute_metrics("regression", SCORES, PREDICTED)
    assert ours["acc2_neutral_negative"] == pytest.approx(4 / 6)  # the 3rd is right too, the 6th is not
    assert ours["acc2_neutral_excluded"] == pytest.approx(3 / 4)


@pytest.mark.parametrize("labels", [[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0], [0.0, 0.0, 0.0]])
def test_sign_accuracy_says_nothing_of_labels_without_both_signs(labels):
    ours = compute_metrics("regression", np.array(labels), np.array([[1.0], [-1.0], [0.5]]))
    assert np.isnan(ours["acc2_neutral_negative"])
    assert np.isnan(ours["acc2_neutral_excluded"])


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_pearson_equals_numpy(seed):
    generator = np.random.default_rng(seed)
    labels, logits = generator.normal(size=20), generator.normal(size=(20, 1))
    found = compute_metrics("regression", labels, logits)["pearson"]
    assert found == pytest.approx(np.corrcoef(labels, logits[:, 0])[0, 1])
    assert np.isnan(compute_metrics("regression", labels, np.ones((20, 1)))["pearson"])


def test_each_label_of_a_multilabel_task_has_its_auroc():
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
    logits = np.array([[2.0, 0.0, 1.0], [1.0, 0.5, 2.0], [0.5, 1.0, 3.0], [0.0, 2.0, 4.0]])
    by_label = label_metrics("multilabel", ["a", "b", "c"])
    assert list(by_label) == ["auroc_of_a", "auroc_of_b", "auroc_of_c"]
    found = {name: float(metric.compute(labels, logits)) for name, metric in by_label.items()}
    assert found["auroc_of_a"] == pytest.approx(3 / 4)  # 2 and .5 against 1 and 0
    assert found["auroc_of_b"] == pytest.approx(2 / 4)  # .5 and 1 against 0 and 2
    assert np.isnan(found["auroc_of_c"])
    assert label_metrics("multiclass", ["a", "b", "c"]) == {}
