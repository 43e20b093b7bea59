"""Features of images as a dataset's arrays: scaled with the train split, float16, and augmented copies next to them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.features import fitted_on_train, save_blocks, write_features
from stages.shared.files import write_whole
from stages.shared.images.images import Extractor, Floats, Ints, Item, embed

BLOCK_BYTES = 2**26  # of features scaled at a time


def write_image_features(
    dataset: str,
    modality: str,
    items: Sequence[Item],
    copies: Sequence[Item],
    is_train: NDArray[np.bool_],
    extractor: Extractor,
    description: dict[str, Any],
) -> None:
    """Write features of all samples, and of augmented copies of the train samples where there are any.

    Args:
        dataset: name.
        modality: name.
        items: of the N samples, in cohort order.
        copies: K of each train sample, sample by sample; none where nothing is augmented.
        is_train: [N].
        extractor: the network.
        description: for the JSON; `kind` and more.
    """
    features, rows = embed([*items, *copies], extractor)
    own, of_copies = rows[: len(items)], rows[len(items) :]
    about = {"shape": list(extractor.shape), "network": extractor.name} | description
    if extractor.note:
        print(f"{dataset} {modality}: {extractor.note}")
        about["note"] = extractor.note
    if len(copies):
        about["copies"] = len(copies) // int(is_train.sum())
    source = str(items[0].path.parent)
    scaled = Scaled(lambda part: features[part].astype(np.float32), own, is_train, extractor.shape, source)
    if len(copies):
        shape = (int(is_train.sum()), about["copies"], *extractor.shape)
        path = paths.features(dataset) / f"{modality}.copies.npy"
        write_whole(path, lambda partial: scaled.write(partial, of_copies, shape))
    write_scaled(dataset, modality, scaled, about)


class Scaled:
    """Features minus the train split's mean of each, by the train split's one deviation of all.

    One deviation, and not one of each feature: a feature that hardly any train image shows would otherwise become huge
    in the one image that does.
    """

    def __init__(
        self,
        read: Callable[[Ints], Floats],
        rows: Ints,
        is_train: NDArray[np.bool_],
        shape: tuple[int, ...],
        source: str = "images",
    ) -> None:
        """Fit mean and deviation.

        Args:
            read: rows to features [n, F].
            rows: of the N samples, in cohort order.
            is_train: [N].
            shape: of one sample's features.
            source: where they come from, for errors.

        Raises:
            InputError: for train features that are all alike, or not finite.
        """
        self.read = read
        self.rows = rows
        self.is_train = is_train
        self.shape = shape
        self.source = source
        self.block = max(1, BLOCK_BYTES // (4 * int(np.prod(shape))))
        sums, squares = np.zeros(int(np.prod(shape))), 0.0
        for part in self._blocks(rows[is_train]):
            values = read(part).astype(np.float64)
            sums += values.sum(axis=0)
            squares += float(np.square(values).sum())
        count = int(is_train.sum())
        self.mean = sums / count
        variance = squares / count / len(sums) - float(np.square(self.mean).mean())
        if not np.isfinite(variance) or variance <= 0:
            raise InputError(
                f"{source}: the train images' features are all alike, or not finite: are these images and weights?"
            )
        self.std = variance**0.5

    def _blocks(self, rows: Ints) -> Iterator[Ints]:
        return (rows[start : start + self.block] for start in range(0, len(rows), self.block))

    def blocks(self, rows: Ints) -> Iterator[NDArray[np.float64]]:
        """Yield the scaled features of rows, some at a time.

        Raises:
            InputError: for a value that float16 cannot hold, or that is not finite.
        """
        for part in self._blocks(rows):
            scaled = (self.read(part) - self.mean) / self.std
            if not np.abs(scaled).max() <= np.finfo(np.float16).max:
                raise InputError(
                    f"{self.source}: an image's features are not finite or far from all others: are these images?"
                )
            yield scaled

    def write(self, path: Path, rows: Ints, shape: tuple[int, ...]) -> None:
        """Write the scaled features of rows as an NPY file of float16 of this shape."""
        save_blocks(path, self.blocks(rows), "<f2", shape)

    def describe(self) -> dict[str, Any]:
        """Return what was fitted, for the JSON."""
        what = "mean of each feature, one deviation of all"
        return fitted_on_train(self.is_train, what) | {"mean_of_means": float(self.mean.mean()), "std": self.std}


def write_scaled(dataset: str, modality: str, scaled: Scaled, about: dict[str, Any]) -> None:
    """Write scaled features [N, …] of all samples with their description."""
    shape = (len(scaled.rows), *scaled.shape)
    path = write_features(
        paths.features(dataset),
        modality,
        lambda partial: scaled.write(partial, scaled.rows, shape),
        lambda: about | {"fitted": scaled.describe()},
    )
    print(f"{path}: {' x '.join(map(str, shape))}")
