"""Features of images as a dataset's arrays: scaled with the train split, float16, and augmented copies next to them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted, read_fitted
from stages.shared.base import paths
from stages.shared.features import fitted_on_train, save_blocks, save_fitted, write_features, write_present
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
    present: NDArray[np.bool_] | None = None,
) -> None:
    """Write features of all samples, and of augmented copies of the train samples where there are any.

    Args:
        dataset: name.
        modality: name.
        items: of the samples that have an image, in cohort order.
        copies: K of each train sample, sample by sample; none where nothing is augmented.
        is_train: [N].
        extractor: the network.
        description: for the JSON; `kind` and more.
        present: which samples have an image, [N]; None: all. Copies need all train samples to have one.

    Raises:
        InputError: when no train sample has an image, or there are copies and some train samples have none.
    """
    has = np.ones(len(is_train), bool) if present is None else present
    if not (is_train & has).any() or (len(copies) and not has[is_train].all()):
        raise InputError(f"{dataset} {modality}: {int((is_train & ~has).sum())} train samples have no image: too many")
    features, rows = embed([*items, *copies], extractor)
    own, of_copies = np.full(len(is_train), -1), rows[len(items) :]
    own[has] = rows[: len(items)]
    about = {"shape": list(extractor.shape), "network": extractor.name} | description
    if extractor.note:
        print(f"{dataset} {modality}: {extractor.note}")
        about["note"] = extractor.note
    if len(copies):
        about["copies"] = len(copies) // int(is_train.sum())
    images = Images(lambda part: features[part].astype(np.float32), extractor.shape, str(items[0].path.parent))
    scale = fit_scale(images, own[is_train & has])
    if len(copies):
        shape = (int(is_train.sum()), about["copies"], *extractor.shape)
        path = paths.features(dataset) / f"{modality}.copies.npy"
        write_whole(path, lambda partial: save_blocks(partial, scaled(images, of_copies, scale), "<f2", shape))
    about["fitted"] = describe_scale(scale, is_train & has)
    write_images(paths.features(dataset), modality, images, own, scale, about)
    save_fitted(dataset, modality, scale.fitted())


def write_new_images(
    dataset: str,
    modality: str,
    items: Sequence[Item],
    present: NDArray[np.bool_],
    extractor: Extractor,
    folder: Path,
    description: dict[str, Any],
) -> None:
    """Write features of new samples' images into a folder, scaled as those of the dataset's train split.

    Args:
        dataset: name.
        modality: name.
        items: of the samples that have an image, in order.
        present: which samples have one, [N].
        extractor: the network.
        folder: for the arrays.
        description: for the JSON; `kind` and more.

    Raises:
        InputError: for features of another number than those of train.
    """
    features, found = embed(items, extractor)
    rows = np.full(len(present), -1)
    rows[present] = found
    images = Images(lambda part: features[part].astype(np.float32), extractor.shape, f"new images of {modality}")
    about = {"shape": list(extractor.shape), "network": extractor.name} | description
    write_as_train(dataset, modality, images, rows, folder, about)


def write_as_train(
    dataset: str, modality: str, images: "Images", rows: Ints, folder: Path, about: dict[str, Any]
) -> None:
    """Write new samples' features into a folder, scaled as those of the dataset's train split.

    Raises:
        InputError: for features of another number than those of train.
    """
    scale = scale_of(read_fitted(paths.fitted(dataset, modality)))
    if scale.mean.size != int(np.prod(images.shape)):
        raise InputError(
            f"{images.source}: {images.shape} features, and {scale.mean.size} of train in "
            f"{paths.fitted(dataset, modality)}: rerun the feature stage, or bring files like those of train"
        )
    write_images(folder, modality, images, rows, scale, about)


@dataclass(frozen=True)
class Images:
    """Features of images, as they are."""

    read: Callable[[Ints], Floats]  # rows to features [n, F]
    shape: tuple[int, ...]  # of one sample's
    source: str = "images"  # where they come from, for errors

    def blocks(self, rows: Ints) -> Iterator[Ints]:
        """Cut rows into as many as are looked at at a time."""
        size = max(1, BLOCK_BYTES // (4 * int(np.prod(self.shape))))
        return (rows[start : start + size] for start in range(0, len(rows), size))


@dataclass(frozen=True)
class Scale:
    """The train split's mean of each feature, and its one deviation of all.

    One deviation, and not one of each feature: a feature that hardly any train image shows would otherwise become huge
    in the one image that does.
    """

    mean: NDArray[np.float64]  # [F]
    std: float

    def fitted(self) -> Fitted:
        """Return both, for new samples."""
        return {"mean": self.mean, "std": np.array(self.std)}


def scale_of(fitted: Fitted) -> Scale:
    """Return the scale that was fitted."""
    return Scale(fitted["mean"], float(fitted["std"]))


def fit_scale(images: Images, rows: Ints) -> Scale:
    """Fit mean and deviation to the rows of the train samples.

    Raises:
        InputError: for train features that are all alike, or not finite.
    """
    sums, squares = np.zeros(int(np.prod(images.shape))), 0.0
    for part in images.blocks(rows):
        values = images.read(part).astype(np.float64)
        sums += values.sum(axis=0)
        squares += float(np.square(values).sum())
    mean = sums / len(rows)
    variance = squares / len(rows) / len(sums) - float(np.square(mean).mean())
    if not np.isfinite(variance) or variance <= 0:
        raise InputError(
            f"{images.source}: the train images' features are all alike, or not finite: are these images and weights?"
        )
    return Scale(mean, variance**0.5)


def scaled(images: Images, rows: Ints, scale: Scale) -> Iterator[NDArray[np.float64]]:
    """Yield the scaled features of rows, some at a time; 0 for row -1, a sample without an image.

    Raises:
        InputError: for a value that float16 cannot hold, or that is not finite.
    """
    for part in images.blocks(rows):
        block = np.zeros((len(part), int(np.prod(images.shape))))
        is_there = part >= 0
        block[is_there] = (images.read(part[is_there]) - scale.mean) / scale.std
        if not np.abs(block).max(initial=0) <= np.finfo(np.float16).max:
            raise InputError(
                f"{images.source}: an image's features are not finite or far from all others: are these images?"
            )
        yield block


def describe_scale(scale: Scale, is_train: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what was fitted, for the JSON."""
    what = "mean of each feature, one deviation of all"
    return fitted_on_train(is_train, what) | {"mean_of_means": float(scale.mean.mean()), "std": scale.std}


def write_images(folder: Path, modality: str, images: Images, rows: Ints, scale: Scale, about: dict[str, Any]) -> None:
    """Write scaled features [N, …] of rows as float16 with their description; 0 for row -1."""
    shape = (len(rows), *images.shape)
    path = write_features(
        folder,
        modality,
        lambda partial: save_blocks(partial, scaled(images, rows, scale), "<f2", shape),
        lambda: about,
    )
    write_present(folder, modality, rows >= 0)
    print(f"{path}: {' x '.join(map(str, shape))}")
