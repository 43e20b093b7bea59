"""Posters of MM-IMDb: VGG-16's second layer of 4096 after ReLU, or the ready-made features of the HDF5."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.datasets.imdb.settings import PosterSettings, Settings
from stages.datasets.imdb.source import DATASET, find_hdf5, open_hdf5
from stages.datasets.imdb.table import read_rows
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.images.image_features import Scaled, write_image_features, write_scaled
from stages.shared.images.images import Extractor, Item
from stages.shared.images.vgg import build_vgg, fingerprint, untrained_note

if TYPE_CHECKING:
    from PIL import Image

SIDE = 224  # pixels of the square that VGG-16 sees
NUM_FEATURES = 4096
LAST = 5  # modules of VGG's classifier: Linear, ReLU, Dropout, Linear, ReLU


def poster() -> None:
    """Write data/features/imdb/poster.npy [N, 4096] and .json."""
    settings = load_block("data.imdb", Settings)
    table, rows, is_train = read_rows()
    hdf5 = find_hdf5(settings.raw)
    if hdf5:
        write_ready_made(hdf5, rows, is_train)
        return
    folder = Path(settings.raw) / DATASET
    items = [Item(folder / f"{movie}.jpeg", movie) for movie in table["sample_id"]]
    description = {"kind": "vector", "source": str(folder)}
    write_image_features("imdb", "poster", items, [], is_train, build_extractor(settings.poster), description)


def build_extractor(settings: PosterSettings) -> Extractor:
    """Build VGG-16 up to its second layer of 4096, on the largest square in the middle of a poster."""
    from torch import nn

    vgg = build_vgg("vgg16", settings.weights, settings.seed, "data.imdb.poster.weights")
    classifier = list(vgg.get_submodule("classifier").children())
    network = nn.Sequential(
        vgg.get_submodule("features"), vgg.get_submodule("avgpool"), nn.Flatten(), *classifier[:LAST]
    )
    return Extractor(
        network=network,
        prepare=prepare,
        width=SIDE,
        height=SIDE,
        shape=(NUM_FEATURES,),
        batch_size=settings.batch_size,
        name=f"VGG-16 with weights {settings.weights}, second layer of {NUM_FEATURES} after ReLU",
        key=f"vgg16-{fingerprint(network, 'fit', SIDE)}",
        remedy="unpack the archive again, or remove this movie's files",
        note=untrained_note(settings.weights, "VGG-16", settings.seed),
    )


def prepare(image: "Image.Image", item: Item) -> "Image.Image":  # noqa: ARG001 (posters are not augmented)
    """Cut the largest square from an image's middle, and resize it."""
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BILINEAR)


def write_ready_made(path: Path, rows: NDArray[np.int64], is_train: NDArray[np.bool_]) -> None:
    """Write the HDF5's features, read some rows at a time.

    Raises:
        InputError: for features that are not finite.
    """
    with open_hdf5(path) as file:
        source = file["vgg_features"]

        def read(part: NDArray[np.int64]) -> NDArray[np.float32]:
            order = np.argsort(part)  # h5py takes rising row numbers only
            values = np.empty((len(part), source.shape[1]), dtype=np.float32)
            values[order] = source[part[order]]
            return values

        about = {"kind": "vector", "shape": [source.shape[1]], "source": f"{path}, vgg_features"}
        scaled = Scaled(read, rows, is_train, (source.shape[1],), str(path))
        write_scaled("imdb", "poster", scaled, about)


if __name__ == "__main__":
    run(poster)
