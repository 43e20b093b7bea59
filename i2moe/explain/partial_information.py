"""Partial information: what two modalities tell of the label, split into unique, shared and synergetic bits.

The measure is that of Bertschinger, Rauh, Olbrich, Jost and Ay (2014), BROJA. With latents X and Z, label Y and
I* the least information I(X, Z; Y) of all joint laws that have the same laws of (X, Y) and of (Z, Y):
uniqueness of X is I* - I(Z; Y), of Z I* - I(X; Y), redundancy I(X; Y) + I(Z; Y) - I*, synergy I(X, Z; Y) - I*.
It is the one reading here that tells what modalities know and not only how much, so that a label made of one part
from each counts as unique to both. It is about what the encoders hand on, not about what the model makes of it.

Latents are clustered by k-means, fitted on train; the joint table is counted on the split that is explained. With
more than two modalities each is set against the rest together: uniqueness of a modality is what none of the others
tell even together; redundancy and synergy are the largest of those of any modality with its rest, as what two of three
modalities share is shared. For two modalities both ways of setting one against the other give the same numbers.

I* is a double minimum, over joint laws q(x, z | y) with the given laws of x and z, and over laws r(x, z), of the mean
over y of KL(q(. | y) || r): for a given r each q is r scaled in its rows and columns (Sinkhorn), for given q the best r
is their mean. Both steps lower a convex function, so that they end at its minimum (Csiszar and Tusnady 1984).

A table with few samples in a cell has too much information, of synergy above all. So there are as many clusters as
leave five samples for each cell, at most eight; then the excess is at most about a fourteenth of the label's entropy.
Resamples have it twice, so that the interval of a part that is next to nothing may lie a little above it.

Shapes: N samples, H token width, I and J clusters of two latents, Y label values, L labels, M modalities, T = M + 2
terms, S seeds, … any axes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2moe.explain.shares import Shares, share_out
from i2moe.resampling import Units
from i2moe.selection import Array, Floats

ITERATIONS = 100  # of the double minimum: errors below 0.001 bit
MOST_CLUSTERS = 8
LEAST_CLUSTERS = 2
SAMPLES_IN_CELL = 5
PARTS_OF_NUMBERS = 3  # that a number is cut into at the train labels' quantiles


@dataclass(frozen=True)
class Latents:
    """What one modality's encoder makes of the samples: their mean tokens."""

    train: NDArray[np.floating]  # [N_train, H]
    own: NDArray[np.floating]  # of the N samples that are explained, [N, H]


def read_partial_information(
    task: str,
    labels: Array,
    train_labels: Array,
    latents: list[list[Latents]],
    terms: list[str],
    units: Units,
    seed: int = 0,
) -> Shares | None:
    """Share the information of the latents out among the terms; None where samples are too few for two clusters.

    Of a multilabel task it is the mean over labels; a number is cut into thirds of the train labels.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] or [N, C].
        train_labels: of the train split.
        latents: of each seed and modality, [S][M].
        terms: uniqueness of each modality, synergy, redundancy.
        units: which of the N samples are resampled together.
        seed: of k-means.
    """
    codes, num_values = label_codes(task, labels, train_labels)
    clusters = num_clusters(len(labels), num_values)
    if clusters < LEAST_CLUSTERS:
        return None
    tables = []
    for of_modalities in latents:
        each = [cluster([own], clusters, seed) for own in of_modalities]
        sides = [(each[0], each[1])]
        if len(each) > 2:  # noqa: PLR2004
            rest = [of_modalities[:index] + of_modalities[index + 1 :] for index in range(len(each))]
            sides = [(own, cluster(others, clusters, seed)) for own, others in zip(each, rest, strict=True)]
        tables.append(np.concatenate([_cells(*side, codes, clusters, num_values) for side in sides]))
    shape = (-1, len(codes), clusters, clusters, num_values)
    return share_out(terms, np.stack(tables), lambda means: _terms(means.reshape(*means.shape[:-1], *shape)), units)


def _terms(joint: Floats) -> Floats:
    """Return the terms' parts [..., T] of the laws of each modality and its rest [..., M or 1, L, I, J, Y]."""
    parts = partial_information(joint).mean(axis=-2)  # [..., M or 1, 4]
    if parts.shape[-2] == 1:
        return np.asarray(parts[..., 0, :])
    return np.concatenate([parts[..., 0], parts[..., 2:].max(axis=-2)], axis=-1)


def _cells(
    first: NDArray[np.int64], second: NDArray[np.int64], codes: NDArray[np.int64], clusters: int, num_values: int
) -> Floats:
    """Return in which cell of each label's table every sample is, [L · I · J · Y, N] of 0 and 1."""
    num_samples = len(first)
    cell = (first * clusters + second) * num_values + codes  # [L, N]
    found = np.zeros((len(codes), clusters * clusters * num_values, num_samples))
    found[np.arange(len(codes))[:, None], cell, np.arange(num_samples)] = 1
    return found.reshape(-1, num_samples)


def label_codes(task: str, labels: Array, train_labels: Array) -> tuple[NDArray[np.int64], int]:
    """Return the values of each label as codes [L, N], and how many values there are."""
    if task == "multilabel":
        return np.asarray(labels > 0, np.int64).T, 2
    if task == "regression":
        cuts = np.quantile(train_labels, np.arange(1, PARTS_OF_NUMBERS) / PARTS_OF_NUMBERS)
        return np.digitize(labels, cuts)[None].astype(np.int64), PARTS_OF_NUMBERS
    return labels[None].astype(np.int64), int(max(labels.max(), train_labels.max())) + 1


def num_clusters(num_samples: int, num_values: int) -> int:
    """Return how many clusters of each latent leave enough samples for each cell of the table; 0 or 1: too few."""
    return min(MOST_CLUSTERS, int(np.sqrt(num_samples / (SAMPLES_IN_CELL * num_values))))


def cluster(latents: list[Latents], clusters: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the cluster of each explained sample [N], of k-means fitted on train over modalities scaled alike."""
    from sklearn.cluster import KMeans

    scales = [np.sqrt(own.train.var(axis=0).sum()) or 1.0 for own in latents]
    train, explained = (
        np.concatenate([getattr(own, part) / scale for own, scale in zip(latents, scales, strict=True)], axis=1)
        for part in ("train", "own")
    )
    fitted = KMeans(min(clusters, len(train)), n_init=4, random_state=seed).fit(train)
    return np.asarray(fitted.predict(explained), np.int64)


def least_information(joint: Floats, iterations: int = ITERATIONS) -> Floats:
    """Return I*, the least information (bits) of all laws with the same pairs (x, y) and (z, y), [...].

    Args:
        joint: p(x, z, y), [..., I, J, Y].
        iterations: of the double minimum.
    """
    of_label = joint.sum(axis=(-3, -2))  # [..., Y]
    seen = np.maximum(of_label, np.finfo(float).tiny)[..., None, :]
    first, second = joint.sum(axis=-2) / seen, joint.sum(axis=-3) / seen  # p(x | y) [..., I, Y], p(z | y) [..., J, Y]
    mean = np.einsum("...iy,...jy,...y->...ij", first, second, of_label)
    columns = np.ones_like(second)
    rows = np.ones_like(first)
    for _ in range(iterations):
        rows = _ratio(first, mean @ columns)
        columns = _ratio(second, np.swapaxes(mean, -1, -2) @ rows)
        mean = mean * ((rows * of_label[..., None, :]) @ np.swapaxes(columns, -1, -2))
    rows = _ratio(first, mean @ columns)
    columns = _ratio(second, np.swapaxes(mean, -1, -2) @ rows)
    coupled = mean[..., None] * rows[..., :, None, :] * columns[..., None, :, :]  # q(x, z | y)
    return information(coupled * of_label[..., None, None, :])


def information(joint: Floats) -> Floats:
    """Return the information I(x, z; y) in bits of laws p(x, z, y), [...] of [..., I, J, Y].

    Examples:
        >>> information(np.array([[[0.5, 0.0]], [[0.0, 0.5]]])).item()  # x is y
        1.0
    """
    pair, label = joint.sum(axis=-1, keepdims=True), joint.sum(axis=(-3, -2), keepdims=True)
    ratio = _ratio(joint, pair * label)
    return np.asarray((joint * np.log2(np.where(joint > 0, ratio, 1.0))).sum(axis=(-3, -2, -1)))


def partial_information(joint: Floats, iterations: int = ITERATIONS) -> Floats:
    """Return uniqueness of x, of z, synergy and redundancy in bits, [..., 4], of laws p(x, z, y) [..., I, J, Y].

    Examples:
        >>> both = np.zeros((2, 2, 2))
        >>> both[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4  # y is x xor z
        >>> partial_information(both).round(3).tolist()
        [0.0, 0.0, 1.0, 0.0]
    """
    of_first = information(joint.sum(axis=-2, keepdims=True))
    of_second = information(joint.sum(axis=-3, keepdims=True))
    least = least_information(joint, iterations)
    parts = [least - of_second, least - of_first, information(joint) - least, of_first + of_second - least]
    return np.stack(parts, axis=-1)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
