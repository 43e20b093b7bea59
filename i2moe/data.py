"""A prepared dataset as a torch dataset. What its files are: `i2moe.prepared`."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from i2moe.prepared import Prepared, Samples


class Batch(NamedTuple):
    """Samples: arrays [B, …] by modality in order, sequence lengths [B], labels [B] or [B, C], rows [B].

    Labels of new samples are NaN [B]. Of modalities that some samples of the dataset lack, `present` [B] tells which
    ones have them.
    """

    inputs: dict[str, Tensor]
    lengths: dict[str, Tensor]
    labels: Tensor
    rows: Tensor
    present: dict[str, Tensor]


class SampleSet(Samples, Dataset[Batch]):
    """New samples, without labels; features stay memory-mapped until a batch needs them."""

    def __getitem__(self, row: int) -> Batch:
        """Return one sample as a batch of one."""
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> Batch:
        """Read the samples in one indexing operation per modality; a DataLoader calls this with a whole batch."""
        index = np.asarray(rows)
        return Batch(
            inputs={name: self._read(name, index) for name in self.arrays},
            lengths={name: torch.from_numpy(lengths[index]) for name, lengths in self.lengths.items()},
            labels=self._labels_of(index),
            rows=torch.from_numpy(index),
            present={name: torch.from_numpy(present[index]) for name, present in self.present.items()},
        )

    def _labels_of(self, index: NDArray[np.int64]) -> Tensor:
        """Return the labels of samples; NaN, since nothing is known of them."""
        return torch.full((len(index),), torch.nan)

    def _read(self, name: str, index: NDArray[np.int64]) -> Tensor:
        """Return samples of a modality [B, *shape] as float32, whatever they are stored as."""
        values = self.arrays[name][index]
        if name in self.masks:
            volumes = np.zeros((len(index), *self.shapes[name]), np.float32)
            volumes[:, self.masks[name]] = values
            values = volumes
        return torch.from_numpy(np.ascontiguousarray(values)).float()

    def batches(self, batch_size: int) -> DataLoader[Batch]:
        """Return batches of all samples, in order."""
        return DataLoader(self, batch_size=batch_size, collate_fn=_already_a_batch)


class FeatureSet(Prepared, SampleSet):
    """All samples of a dataset, in cohort order, with labels and splits."""

    def _labels_of(self, index: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.labels[index])

    def augmented(self, rows: NDArray[np.int64], variants: NDArray[np.int64]) -> Batch:
        """Read train samples, each unchanged (variant 0) or as its augmented copy of that number, from 1.

        Modalities without copies, and all of them if no variant is above 0, are unchanged.
        """
        batch = self.__getitems__(rows.tolist())
        if not self.copies:
            return batch
        chosen = np.flatnonzero(variants)
        position = np.searchsorted(self.rows("train"), rows[chosen])
        for name, copies in self.copies.items():
            values = copies[position, variants[chosen] - 1]
            batch.inputs[name][torch.from_numpy(chosen)] = torch.from_numpy(np.ascontiguousarray(values)).float()
        return batch

    def loader(
        self,
        split: str,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        num_workers: int = 0,
        sharing: "Sharing | None" = None,
    ) -> DataLoader[Batch]:
        """Return batches of a split.

        Args:
            split: train | validation | test.
            batch_size: samples per batch.
            shuffle_seed: give one to shuffle, and to take augmented copies where there are any; both then depend on it
                and on the epoch alone, so that a resumed run sees the batches that an uninterrupted one sees.
            num_workers: processes that read ahead.
            sharing: which part of each batch to return; None: all of it.
        """
        view = _View(self, self.rows(split))
        copies = self.num_copies if split == "train" else 0
        order = SequentialSampler(view) if shuffle_seed is None else EpochShuffle(len(view), shuffle_seed, copies)
        batches = SharedBatches(order, batch_size, sharing or Sharing())
        return DataLoader(view, batch_sampler=batches, collate_fn=_already_a_batch, num_workers=num_workers)


class EpochShuffle(Sampler[int]):
    """Every index once, in an order that depends on the seed and the epoch alone; the trainer sets the epoch.

    With copies, index + size · v stands for variant v of a sample: 0 itself, 1 and more its augmented copies, drawn
    evenly.
    """

    def __init__(self, size: int, seed: int, copies: int = 0) -> None:
        self.size = size
        self.seed = seed
        self.copies = copies
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of indices."""
        return self.size

    def __iter__(self) -> Iterator[int]:
        """Yield the indices in this epoch's order."""
        generator = np.random.default_rng([self.seed, self.epoch])
        order = generator.permutation(self.size)
        variants = generator.integers(0, self.copies + 1, self.size) if self.copies else 0
        yield from (order + self.size * variants).tolist()


class Sharing(NamedTuple):
    """How a batch is shared out: into pieces one after the other, and each of these among processes."""

    pieces: int = 1
    processes: int = 1
    rank: int = 0  # of this process

    def sizes(self, num_samples: int) -> list[int]:
        """Return how many samples of a piece each process has: as even as can be.

        Examples:
            >>> Sharing(processes=3).sizes(7)
            [3, 2, 2]
        """
        return _even(num_samples, self.processes)


class SharedBatches(Sampler[list[int]]):
    """The indices of this process in every piece of every batch of a sampler.

    A process that has none in a piece is given the first one of another.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int, sharing: Sharing) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.sharing = sharing
        size = len(sampler)  # type: ignore[arg-type]
        batches = [min(batch_size, size - begin) for begin in range(0, size, batch_size)]
        # By piece: how many samples it has, and its batch.
        self.pieces = [(piece, batch) for batch in batches for piece in _even(batch, min(sharing.pieces, batch))]

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.pieces)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield this process's indices of each piece."""
        order = iter(self.sampler)
        for size, _ in self.pieces:
            piece = list(islice(order, size))
            sizes = self.sharing.sizes(size)
            begin = sum(sizes[: self.sharing.rank])
            yield piece[begin : begin + sizes[self.sharing.rank]] or piece[:1]


def _even(total: int, parts: int) -> list[int]:
    return [(total + parts - 1 - part) // parts for part in range(parts)]


class _View(Dataset[Batch]):
    """Some rows of a FeatureSet."""

    def __init__(self, features: FeatureSet, rows: NDArray[np.int64]) -> None:
        self.features = features
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        variants, own = np.divmod(np.asarray(indices), len(self.rows))
        return self.features.augmented(self.rows[own], variants)


def _already_a_batch(batch: Any) -> Batch:  # noqa: ANN401 (__getitems__ returns a Batch where torch expects a list)
    return batch  # type: ignore[no-any-return]
