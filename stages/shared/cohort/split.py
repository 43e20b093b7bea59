"""Train, validation and test: stratified, whole groups together, seeded, and the same on every machine."""

import math

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import SPLITS
from stages.shared.cohort.shares import SplitParams

REGRESSION_BINS = 10  # quantile bins that serve as classes when the label is a number


def assign_splits(strata: NDArray[np.int64], groups: NDArray[np.str_] | None, shares: SplitParams) -> NDArray[np.str_]:
    """Give every sample its split.

    Without groups, validation and test have exactly ⌈share · N⌉ samples. With groups, each group goes whole to the
    split that lacks its classes most, large groups first.

    Args:
        strata: [N] class indices to balance, from `stratify_by`; rows in sorted order of sample_id.
        groups: [N] group names, or None.
        shares: of the splits, and the seed.

    Examples:
        >>> shares = SplitParams(train=0.5, validation=0.25, test=0.25, seed=0)
        >>> strata = np.array([0] * 8 + [1] * 4)
        >>> splits = assign_splits(strata, None, shares)
        >>> {name: np.bincount(strata[splits == name]).tolist() for name in SPLITS}
        {'train': [4, 2], 'validation': [2, 1], 'test': [2, 1]}
        >>> groups = list("aaaabbbccd")  # of 10 samples train wants 5, the others 2.5 each
        >>> splits = assign_splits(np.zeros(10, int), np.array(groups), shares)
        >>> dict(zip(groups, splits.tolist()))
        {'a': 'train', 'b': 'validation', 'c': 'test', 'd': 'train'}
    """
    names = np.empty(len(strata), dtype="<U10")
    positions = _assign_samples(strata, shares) if groups is None else _assign_groups(strata, groups, shares)
    for name, rows in zip(SPLITS, positions, strict=True):
        names[rows] = name
    return names


def _assign_samples(strata: NDArray[np.int64], shares: SplitParams) -> list[NDArray[np.int64]]:
    """Split samples one by one with scikit-learn's stratified shuffle, every class in every split."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(strata))
    sizes = [_ceil(shares.validation * len(rows)), _ceil(shares.test * len(rows))]
    try:
        rest, test = train_test_split(rows, test_size=sizes[1], stratify=strata, random_state=shares.seed)
        train, validation = train_test_split(rest, test_size=sizes[0], stratify=strata[rest], random_state=shares.seed)
    except ValueError as error:
        parts = f"{len(rows) - sum(sizes)} / {sizes[0]} / {sizes[1]}"
        raise InputError(
            f"{len(rows)} samples of {len(np.unique(strata))} classes cannot be split {parts}, each with all classes "
            f"({error}): bring more samples or leave out rare classes"
        ) from error
    return _with_every_class([train, validation, test], strata, shares.seed)


def _with_every_class(
    positions: list[NDArray[np.int64]], strata: NDArray[np.int64], seed: int
) -> list[NDArray[np.int64]]:
    """Exchange samples until every class of three or more is in every split; sizes stay as they are.

    Stratified shuffling rounds a rare class's share of a split down to none where other classes are nearer to one more,
    whatever the seed. The class with the most samples in that split gives one up for it.
    """
    generator = np.random.default_rng(seed)
    split_of = np.empty(len(strata), dtype=np.int64)
    for split, rows in enumerate(positions):
        split_of[rows] = split
    counts = np.array([np.bincount(strata[rows], minlength=strata.max() + 1) for rows in positions])
    for split, label in np.argwhere((counts == 0) & (counts.sum(axis=0) >= len(SPLITS))):
        donor, plenty = counts[:, label].argmax(), counts[split].argmax()
        incoming = generator.choice(np.flatnonzero((split_of == donor) & (strata == label)))
        outgoing = generator.choice(np.flatnonzero((split_of == split) & (strata == plenty)))
        split_of[[incoming, outgoing]] = split, donor
        counts[split, [label, plenty]] += 1, -1
        counts[donor, [label, plenty]] += -1, 1
    return [np.flatnonzero(split_of == split) for split in range(len(SPLITS))]


def iterative_splits(labels: NDArray[np.int64], shares: SplitParams) -> NDArray[np.str_]:
    """Give every sample of a multilabel task its split, so that each label has its share of each split.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011): the label with the fewest samples left to hand out
    comes first, and each of its samples goes to the split that lacks most of that label, then to the one that lacks
    most samples, then to a random one. Unlike there, a split that is full takes no more: validation and test have
    exactly ⌈share · N⌉ samples.

    Args:
        labels: [N, C] of 0 and 1; rows in sorted order of sample_id.
        shares: of the splits, and the seed.

    Examples:
        >>> shares = SplitParams(train=0.5, validation=0.25, test=0.25, seed=0)
        >>> labels = np.array([[1, 0]] * 4 + [[1, 1]] * 4)
        >>> splits = iterative_splits(labels, shares)
        >>> {name: labels[splits == name].sum(axis=0).tolist() for name in SPLITS}
        {'train': [4, 2], 'validation': [2, 1], 'test': [2, 1]}
    """
    generator = np.random.default_rng(shares.seed)
    positive = labels.astype(bool)
    portions = np.array([getattr(shares, name) for name in SPLITS])
    lacking = np.outer(portions, positive.sum(axis=0))  # [splits, C]
    room = np.array([0, *(_ceil(share * len(labels)) for share in portions[1:])])
    room[0] = len(labels) - room.sum()
    split_of = np.full(len(labels), -1)

    def hand_out(row: int, wanted: NDArray[np.floating]) -> None:
        """Put a sample into the split that wants it most, of those with room."""
        order = np.lexsort((generator.random(len(SPLITS)), -room, -wanted, room <= 0))
        split_of[row] = order[0]
        lacking[order[0]] -= positive[row]
        room[order[0]] -= 1

    while (left := (positive & (split_of < 0)[:, None]).sum(axis=0)).any():
        rarest = int(np.where(left > 0, left, len(labels) + 1).argmin())
        for row in generator.permutation(np.flatnonzero(positive[:, rarest] & (split_of < 0))):
            hand_out(int(row), lacking[:, rarest])
    for row in generator.permutation(np.flatnonzero(split_of < 0)):
        hand_out(int(row), room)
    names: NDArray[np.str_] = np.array(SPLITS, dtype="<U10")[split_of]
    return names


def _ceil(size: float) -> int:
    """Round up, but not over floating-point dust: 0.15 · 2380 is 357."""
    return math.ceil(round(size, 6))


def _assign_groups(strata: NDArray[np.int64], groups: NDArray[np.str_], shares: SplitParams) -> list[NDArray[np.int64]]:
    """Hand out groups greedily, each to the split whose classes are furthest below their target."""
    _, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((group_of.max() + 1, strata.max() + 1))  # [groups, classes]
    np.add.at(counts, (group_of, strata), 1)
    counts = np.column_stack([counts, counts.sum(axis=1)])  # the whole size counts like one class more
    totals = np.maximum(counts.sum(axis=0), 1)
    lacking = np.outer([getattr(shares, name) for name in SPLITS], totals)  # [splits, classes + 1]
    shuffled = np.random.default_rng(shares.seed).permutation(len(counts))
    largest_first = shuffled[np.argsort(-counts[shuffled, -1], kind="stable")]
    split_of = np.empty(len(counts), dtype=np.int64)
    for group in largest_first:
        split_of[group] = np.argmax(lacking @ (counts[group] / totals))
        lacking[split_of[group]] -= counts[group]
    return [np.flatnonzero(split_of[group_of] == split) for split in range(len(SPLITS))]


def stratify_by(task: str, labels: NDArray[np.generic], shares: SplitParams) -> NDArray[np.int64]:
    """Return the class index [N] to balance over the splits.

    Args:
        task: binary | multiclass: the class itself. multilabel: the rarest label that a sample has, or none.
            regression: the quantile bin of the label.
        labels: [N] class indices or numbers; [N, C] of 0 and 1 for multilabel.
        shares: of the splits; bins and label strata are so large that the smallest split has a sample of each.

    Examples:
        >>> shares = SplitParams(train=0.5, validation=0.25, test=0.25, seed=0)  # a stratum has 4 samples or more
        >>> stratify_by("regression", np.array([5.0, 1.0, 2.0, 8.0, 7.0, 3.0, 4.0, 6.0]), shares).tolist()
        [1, 0, 0, 1, 1, 0, 0, 1]
        >>> stratify_by("multilabel", np.array([[1, 0]] * 5 + [[1, 1]] * 4 + [[0, 0]]), shares).tolist()
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    """
    fewest = math.ceil(round(1 / min(shares.train, shares.validation, shares.test), 6))
    if task == "multilabel":
        positive = labels.astype(bool)
        frequency = np.where(positive, positive.sum(axis=0), len(labels) + 1)
        strata = np.where(positive.any(axis=1), frequency.argmin(axis=1), labels.shape[1])
    elif task == "regression":
        bins = min(REGRESSION_BINS, max(1, len(labels) // fewest))
        edges = np.quantile(labels.astype(float), np.linspace(0, 1, bins + 1)[1:-1])
        strata = np.digitize(labels.astype(float), edges)
    else:
        return labels.astype(np.int64)
    return _merge_rare(strata, fewest)


def _merge_rare(strata: NDArray[np.int64], fewest: int) -> NDArray[np.int64]:
    """Put the strata too small to be shared out over three splits into the largest one."""
    names, position, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    merged = np.where(sizes[position] < fewest, names[sizes.argmax()], strata)
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)
