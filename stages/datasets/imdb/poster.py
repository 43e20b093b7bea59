"""Posters of MM-IMDb through VGG-16 or a Hugging Face vision model, or the ready-made features of the HDF5."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.imdb.settings import VGG, PosterSettings, Settings
from stages.datasets.imdb.source import DATASET, find_hdf5, open_hdf5, reading
from stages.datasets.imdb.table import read_movies, read_rows
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted
from stages.shared.images.image_features import Images, describe_scale, fit_scale, write_image_features, write_images
from stages.shared.images.images import Extractor, Item
from stages.shared.images.networks import vgg16_extractor
from stages.shared.steps import write_without_steps

if TYPE_CHECKING:
    import h5py

REMEDY = "unpack the archive again, or remove this movie's files"


def poster() -> None:
    """Write data/features/imdb/poster.npy and .json: vectors [N, 4096], or maps [N, C, h, w]."""
    settings = load_block("data.imdb", Settings)
    table, rows, is_train = read_rows()
    hdf5 = find_hdf5(settings.raw)
    if hdf5 and (settings.poster.encoder != VGG or settings.poster.layer != "classifier"):
        raise InputError(
            f"{hdf5} holds features of VGG's layer classifier and no images: set data.imdb.raw to the archive's "
            "folder, or data.imdb.poster.encoder to vgg and data.imdb.poster.layer to classifier"
        )
    if hdf5:
        write_ready_made(hdf5, rows, is_train)
    else:
        folder = Path(settings.raw) / DATASET
        present = np.ones(len(table), bool)
        if settings.incomplete == "keep":
            present = read_movies().iloc[rows]["has_poster"].to_numpy(bool)
        items = [Item(folder / f"{movie}.jpeg", movie) for movie in table["sample_id"][present]]
        extractor = build_extractor(settings.poster)
        kind = "vector" if len(extractor.shape) == 1 else "image"
        description = {"kind": kind, "source": str(folder)}
        write_image_features("imdb", "poster", items, [], is_train, extractor, description, present)
    write_without_steps("imdb", "poster")


def build_extractor(settings: PosterSettings) -> Extractor:
    """Build the network that sees the largest square in the middle of a poster."""
    if settings.encoder != VGG:
        return build_vision(settings)
    return vgg16_extractor(
        settings.weights,
        settings.seed,
        settings.batch_size,
        layer=settings.layer,
        key="data.imdb.poster.weights",
        remedy=REMEDY,
    )


def build_vision(settings: PosterSettings) -> Extractor:
    """Build a Hugging Face vision model, which returns a map of its patches."""
    from PIL import Image, ImageOps

    from stages.shared.pretrained.vision import load_vision_tower

    tower = load_vision_tower(settings.encoder, "data.imdb.poster.encoder")
    size, method = (tower.width, tower.height), Image.Resampling(tower.resample)
    return tower.extractor(lambda image, _: ImageOps.fit(image, size, method), "fit", settings.batch_size, REMEDY)


def write_ready_made(path: Path, rows: NDArray[np.int64], is_train: NDArray[np.bool_]) -> None:
    """Write the HDF5's features, read some rows at a time.

    Raises:
        InputError: for features that are not finite.
    """
    with open_hdf5(path, "vgg_features") as file:
        images = ready_made(file, path)
        scale = fit_scale(images, rows[is_train])
        about = describe_ready_made(images) | {"fitted": describe_scale(scale, is_train)}
        write_images(paths.features("imdb"), "poster", images, rows, scale, about)
        save_fitted("imdb", "poster", scale.fitted())


def ready_made(file: "h5py.File", path: Path) -> Images:
    """Return an open HDF5's features of posters."""
    source = file["vgg_features"]

    def read(part: NDArray[np.int64]) -> NDArray[np.float32]:
        order = np.argsort(part)  # h5py takes rising row numbers only
        values = np.empty((len(part), source.shape[1]), dtype=np.float32)
        with reading(path):
            values[order] = source[part[order]]
        return values

    return Images(read, (source.shape[1],), str(path))


def describe_ready_made(images: Images) -> dict[str, Any]:
    """Describe an HDF5's features, for the JSON."""
    return {"kind": "vector", "shape": list(images.shape), "source": f"{images.source}, vgg_features"}


if __name__ == "__main__":
    run(poster)
