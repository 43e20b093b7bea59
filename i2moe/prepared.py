"""A prepared dataset: a cohort and its feature arrays, checked once against the data contract; without torch.

Files (the contract between whatever prepares a dataset and every model; its JSON files are classes in
`i2moe.contract.descriptions`):

- `<cohort>.csv`: sample_id, group_id, split (train | validation | test), then the label: `label` with a class name or a
  number, or one column `label_<class>` of 0 and 1 per class of a multilabel task. One row per sample, sorted by id.
- `<cohort>.json` next to it: `CohortDescription`.
- `<modality>.npy`: first axis = cohort rows; float32, float16 or uint8; C-contiguous, so that it memory-maps.
  Sequences are padded at the end; `<modality>.lengths.npy` holds the number of real steps of each sample. Where steps
  are words, `<modality>.words.json` may hold them for people to read: a list for each sample with a word for each step,
  or without any where the sample has no word and its one step is 0.
  Volumes are stored without what surrounds the organ: samples [V] are the voxels inside a mask, in C order, scaled so
  that 0 is the mean; a batch has them in their places in volumes that are 0 elsewhere.
  Images are stored as the features [C, h, w] of a frozen network.
- `<modality>.present.npy`: which samples have the modality, bool [N]; without the file all do. The rows of the others
  are 0, and their lengths 1. Every sample has at least one modality.
- `<modality>.copies.npy`: where the description gives a number of `copies`, features of that many augmented copies
  of each train sample [N_train, copies, …]. A shuffled pass over train takes one of them or the sample itself.
- `<modality>.json`: `ModalityDescription`.
- `<modality>.fitted.npz`: what was fitted on the train split, with which new samples are prepared; no model reads it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import SPLITS, labels_of, read_cohort
from i2moe.contract.descriptions import CohortDescription, ModalityDescription
from i2moe.contract.masks import unpack_mask
from i2moe.contract.reading import open_npy, read_json
from i2moe.signature import ModalitySignature, Signature

DTYPES = ("float32", "float16", "uint8")
REMEDY = "run the feature stage that writes it"
CHECK_BYTES = 2**26  # read an array in blocks of this size when looking for NaN and infinity


class Samples:
    """Feature arrays of samples in order of their ids, memory-mapped until a batch needs them."""

    def __init__(self, features: Path, modalities: list[str], sample_ids: list[str]) -> None:
        """Open and check the arrays.

        Args:
            features: folder of the feature files.
            modalities: names, in order.
            sample_ids: of the rows of all arrays.

        Raises:
            InputError: where the files break the contract; the message names file, row or column and remedy.
        """
        self.sample_ids = sample_ids
        self.modalities = modalities
        self.descriptions = {name: ModalityDescription.read(features / f"{name}.json") for name in modalities}
        self.masks = {
            name: unpack_mask(about.mask, tuple(about.shape))
            for name, about in self.descriptions.items()
            if about.kind == "volume" and about.mask is not None
        }
        self.arrays = {name: _open_array(features, name, self) for name in modalities}
        self.lengths = {
            name: _open_lengths(features, name, self)
            for name, about in self.descriptions.items()
            if about.kind == "sequence"
        }
        self.present = {
            name: present for name in modalities if not (present := _open_present(features, name, self)).all()
        }
        if not self.presence.any(axis=1).all():
            row = int(np.flatnonzero(~self.presence.any(axis=1))[0])
            raise InputError(f"{features}: the sample in row {row} has no modality: leave it out of the cohort")

    @property
    def kinds(self) -> dict[str, str]:
        """Return the kind of array of each modality."""
        return {name: about.kind for name, about in self.descriptions.items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of one sample of each modality."""
        return {name: tuple(about.shape) for name, about in self.descriptions.items()}

    @property
    def notes(self) -> dict[str, str]:
        """Return what a reader of results must know about each modality, if anything."""
        return {name: about.note for name, about in self.descriptions.items() if about.note is not None}

    @property
    def presence(self) -> NDArray[np.bool_]:
        """Return which sample has which modality, [N, M]."""
        everywhere = np.ones(len(self), bool)
        return np.stack([self.present.get(name, everywhere) for name in self.modalities], axis=1)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sample_ids)


class Prepared(Samples):
    """All samples of a dataset, in cohort order, with labels and splits."""

    def __init__(self, features: Path, cohort: Path, splits: tuple[str, ...] = SPLITS) -> None:
        """Open and check a dataset.

        Args:
            features: folder of the feature files.
            cohort: the cohort's CSV; its JSON is next to it.
            splits: which must not be empty.

        Raises:
            InputError: where the files break the contract; the message names file, row or column and remedy.
        """
        self.table = read_cohort(cohort)
        description = CohortDescription.read(cohort.with_suffix(".json"))
        self.task = description.task
        self.classes = description.classes
        self.shows_samples = description.shows_samples
        self.labels = labels_of(self.table, self.task, self.classes, cohort)
        _check_splits(self, cohort, splits)
        super().__init__(features, description.modalities, self.table["sample_id"].tolist())
        self.copies = {
            name: _open_copies(features, name, self) for name, about in self.descriptions.items() if about.copies
        }
        self.num_copies = _num_copies(features, self)

    @property
    def signature(self) -> Signature:
        """Return what a model that is trained on these samples must know of them."""
        mean, std = self.label_scale
        inputs = {
            name: ModalitySignature(kind=about.kind, shape=about.shape, may_be_absent=name in self.present)
            for name, about in self.descriptions.items()
        }
        return Signature(task=self.task, classes=self.classes, inputs=inputs, label_mean=mean, label_std=std)

    @property
    def may_be_absent(self) -> list[str]:
        """Return the modalities that some samples lack, in order."""
        return list(self.present)

    @property
    def label_scale(self) -> tuple[float, float]:
        """Return mean and standard deviation of the train labels of a regression task; 0 and 1 for other tasks."""
        if self.task != "regression":
            return 0.0, 1.0
        train = self.labels[self.rows("train")]
        return float(train.mean()), float(train.std()) or 1.0

    @property
    def num_outputs(self) -> int:
        """Return how many logits a model returns: one per class, or one for regression."""
        return len(self.classes) or 1

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the cohort rows of a split, in order."""
        return np.flatnonzero(self.table["split"].to_numpy() == split)

    def groups(self, split: str) -> NDArray[np.object_]:
        """Return the group of each sample of a split: a sample's own where it is alone."""
        groups: NDArray[np.object_] = self.table["group_id"].to_numpy(object)[self.rows(split)]
        return groups


def _check_splits(features: Prepared, path: Path, splits: tuple[str, ...]) -> None:
    """Refuse an empty split, and a class that is absent from train."""
    for split in splits:
        if not len(features.rows(split)):
            raise InputError(f"{path}: the {split} split is empty: change the split's shares or bring more samples")
    train = features.labels[features.rows("train")]
    present = train.sum(axis=0) > 0 if features.task == "multilabel" else np.isin(range(len(features.classes)), train)
    for name, is_present in zip(features.classes, present, strict=True):
        if not is_present:
            raise InputError(
                f"{path}: class {name!r} is absent from the train split: leave it out or bring more samples"
            )


def _open_array(folder: Path, name: str, features: Samples) -> NDArray[Any]:
    """Memory-map one modality's array and check it against the cohort and its description."""
    path = folder / f"{name}.npy"
    array = _load(path)
    rows = array.shape[0] if array.ndim else 0
    if rows != len(features):
        raise InputError(f"{path} has {rows} rows, the cohort {len(features)}: rerun the feature stage")
    if array.dtype.name not in DTYPES:
        raise InputError(f"{path} has dtype {array.dtype}, allowed are {', '.join(DTYPES)}: rerun the feature stage")
    if not array.flags.c_contiguous:
        raise InputError(f"{path} is not C-contiguous: save numpy.ascontiguousarray of it")
    is_volume = name in features.masks
    expected = (int(features.masks[name].sum()),) if is_volume else features.shapes[name]
    if array.shape[1:] != expected:
        source = "mask" if is_volume else "JSON"
        raise InputError(
            f"{path} has samples of shape {array.shape[1:]}, its {source} states {expected}: rerun the feature stage"
        )
    _check_finite(path, array)
    return array


def _open_copies(folder: Path, name: str, features: Prepared) -> NDArray[Any]:
    """Memory-map the augmented copies of a modality's train samples and check their shape."""
    path = folder / f"{name}.copies.npy"
    array = _load(path)
    expected = (len(features.rows("train")), features.descriptions[name].copies, *features.shapes[name])
    if array.shape != expected or array.dtype.name not in DTYPES:
        raise InputError(
            f"{path} holds {array.dtype} of shape {array.shape}, expected {' or '.join(DTYPES)} of shape {expected}: "
            "rerun the feature stage"
        )
    _check_finite(path, array)
    return array


def _num_copies(folder: Path, features: Prepared) -> int:
    """Return how many copies there are; modalities that have any have as many, since they are drawn together."""
    numbers = {name: copies.shape[1] for name, copies in features.copies.items()}
    if len(set(numbers.values())) > 1:
        raise InputError(f"{folder}: the modalities have different numbers of copies, {numbers}: rerun their stages")
    return max(numbers.values(), default=0)


def _check_finite(path: Path, array: NDArray[Any]) -> None:
    """Refuse NaN and infinity, reading the array in blocks."""
    block = max(1, CHECK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), block):
        finite = np.isfinite(array[start : start + block]).reshape(len(array[start : start + block]), -1).all(axis=1)
        if not finite.all():
            row = start + int(np.flatnonzero(~finite)[0])
            raise InputError(f"{path} row {row} holds NaN or infinity: impute or drop it where the features are made")


def _open_lengths(folder: Path, name: str, features: Samples) -> NDArray[np.int64]:
    """Read the real lengths of a padded sequence modality; between 1 and the padded length."""
    path = folder / f"{name}.lengths.npy"
    stored = _load(path)
    if stored.shape != (len(features),) or stored.dtype.kind not in "iu":
        raise InputError(
            f"{path} holds {stored.dtype} of shape {stored.shape}, expected whole numbers of shape ({len(features)},): "
            "rerun the feature stage"
        )
    lengths = stored.astype(np.int64)
    longest = features.arrays[name].shape[1]
    if lengths.min() < 1 or lengths.max() > longest:
        raise InputError(f"{path}: lengths must lie between 1 and {longest}: rerun the feature stage")
    return lengths


def _open_present(folder: Path, name: str, features: Samples) -> NDArray[np.bool_]:
    """Read which samples have a modality; the others' rows are 0, and their lengths 1."""
    path = folder / f"{name}.present.npy"
    if not path.exists():
        return np.ones(len(features), bool)
    present: NDArray[np.bool_] = np.array(_load(path))
    if present.shape != (len(features),) or present.dtype != np.bool_:
        raise InputError(
            f"{path} holds {present.dtype} of shape {present.shape}, expected bool of shape ({len(features)},): rerun "
            "the feature stage"
        )
    absent = np.flatnonzero(~present)
    is_empty = features.lengths[name][absent] == 1 if name in features.lengths else np.ones(len(absent), bool)
    size = max(1, CHECK_BYTES // max(1, features.arrays[name][:1].nbytes))
    for start in range(0, len(absent), size):
        block = features.arrays[name][absent[start : start + size]]
        is_empty[start : start + size] &= ~block.reshape(len(block), -1).any(axis=1)
    if not is_empty.all():
        row = int(absent[~is_empty][0])
        raise InputError(f"{path}: row {row} is absent, but its features are not 0: rerun the feature stage")
    return present


def read_words(path: Path, lengths: NDArray[np.int64]) -> list[list[str]]:
    """Read the words that the steps of N samples stand for; a list without any where there are none, or no file.

    Args:
        path: `<modality>.words.json`.
        lengths: real steps of each sample [N].

    Raises:
        InputError: for a file that is broken, or does not have a word for each step of the samples that have any.
    """
    words = read_json(path, REMEDY) if path.exists() else []
    is_list = isinstance(words, list) and all(isinstance(own, list) for own in words)
    if not is_list or not all(isinstance(word, str) for own in words for word in own):
        raise InputError(f"{path} does not hold lists of words: {REMEDY}")
    if words and [len(own) or 1 for own in words] != lengths.tolist():
        raise InputError(f"{path} does not have a word for each step of each sample: {REMEDY}")
    return words


def _load(path: Path) -> NDArray[Any]:
    return open_npy(path, REMEDY)
