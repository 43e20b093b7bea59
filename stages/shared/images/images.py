"""Images through a frozen network, each once: its features stay on disk, so that a kill or another split costs little.

Posters (MM-IMDb) and screens (ENRICO) share this: files are read ahead and decoded, go through the network in batches,
and are appended to a store. `image_features.py` then scales them with the train split and writes the arrays.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError, numbered
from stages.shared.base import paths
from stages.shared.files import naming
from stages.shared.images.decoding import content, opened
from stages.shared.prefetch import read_ahead

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

# Of ImageNet, on which torchvision's weights were trained (torchvision.models).
CHANNEL_MEAN, CHANNEL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Item(NamedTuple):
    """An image to look at: its file, and what to make of it: 0 as it is, or the number of an augmented copy."""

    path: Path
    sample_id: str
    copy: int = 0
    place: str = ""  # what an error calls it; empty for the file's number in its folder


@dataclass(frozen=True)
class Extractor:
    """A frozen network, and all that decides what it makes of a file."""

    network: "nn.Module"  # images [B, 3, H, W], scaled by channel, to features [B, …]
    prepare: Callable[["Image.Image", Item], "Image.Image"]  # to the size that the network sees
    width: int  # pixels
    height: int
    shape: tuple[int, ...]  # of one image's features
    batch_size: int
    name: str  # of network, weights and layer, for people
    key: str  # of network, weights and preparation: features of one key may share a store
    remedy: str  # for a file that cannot be decoded
    note: str | None  # what a reader of results must know
    mean: tuple[float, float, float] = CHANNEL_MEAN  # of the pixels' channels that the network was trained on
    std: tuple[float, float, float] = CHANNEL_STD
    is_half: bool = False  # features are kept as float16
    augmentation: str = ""  # how `prepare` makes copies: copies made otherwise are others, plain images stay the same


class Store:
    """Features of single items, in the order they were made: `features.f32` or `.f16` [n, F] and a line in `keys.txt`.

    Only ever appended to. What a kill left half written is cut off when the store is opened again.
    """

    def __init__(self, folder: Path, num_features: int, dtype: type[np.floating] = np.float32) -> None:
        self.num_features, self.dtype = num_features, np.dtype(dtype)
        self.features, self.names = folder / f"features.f{8 * self.dtype.itemsize}", folder / "keys.txt"
        bytes_per_row = self.dtype.itemsize * num_features
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.features, self.names):
            path.touch()
        lines = self.names.read_bytes().split(b"\n")[:-1]  # what follows the last line's end is half written
        del lines[self.features.stat().st_size // bytes_per_row :]
        self.keys = [line.decode(errors="replace") for line in lines]
        with self.names.open("r+b") as stream:
            stream.truncate(sum(len(line) + 1 for line in lines))
        with self.features.open("r+b") as stream:
            stream.truncate(len(self.keys) * bytes_per_row)

    def append(self, keys: list[str], features: NDArray[np.floating]) -> None:
        """Append features [n, F]; names come last, since they tell what is complete."""
        with naming(self.features), self.features.open("ab") as stream:
            stream.write(np.ascontiguousarray(features, dtype=self.dtype).tobytes())
        with naming(self.names), self.names.open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{key}\n" for key in keys))
        self.keys += keys

    def array(self) -> NDArray[np.floating]:
        """Memory-map all features [n, F]."""
        if not self.keys:  # an empty file cannot be mapped
            return np.empty((0, self.num_features), self.dtype)
        return np.memmap(self.features, self.dtype, "r", shape=(len(self.keys), self.num_features))


@contextmanager
def opened_store(folder: Path, num_features: int, dtype: type[np.floating] = np.float32) -> Iterator[Store]:
    """Open a store to append to; whoever else wants to, such as an experiment in one of DVC's workers, waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        yield Store(folder, num_features, dtype)


def embed(items: Sequence[Item], extractor: Extractor) -> tuple[NDArray[np.floating], Ints]:
    """Return features [n, F], memory-mapped, and the row of each item among them; only new images are computed.

    Raises:
        InputError: for the first file that is missing or cannot be decoded.
    """
    dtype = np.float16 if extractor.is_half else np.float32
    keys = list(read_ahead(lambda item: _key(item, extractor), items, ahead=64))
    with opened_store(paths.image_features(extractor.key), int(np.prod(extractor.shape)), dtype) as store:
        known = set(store.keys)
        new = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
        if new:
            _compute(new, extractor, store)
    position = {key: row for row, key in enumerate(store.keys)}
    return store.array(), np.array([position[key] for key in keys], dtype=np.int64)


def _compute(new: dict[str, Item], extractor: Extractor, store: Store) -> None:
    """Append the features of new images to a store, batch by batch."""
    size = len(new) * store.num_features * store.dtype.itemsize / 1e6
    print(f"{len(new)} new images, {size:.0f} MB under {store.features.parent}")
    with tqdm(total=len(new), desc="images", unit="image", mininterval=1, delay=2, dynamic_ncols=True) as bar:
        for names, features in forward(new, extractor):
            with np.errstate(over="ignore"):
                kept: NDArray[np.floating] = features.astype(store.dtype)
            _check_finite(kept, [new[name] for name in names], extractor)
            store.append(names, kept)
            bar.update(len(names))


def _key(item: Item, extractor: Extractor) -> str:
    """Name what the network sees by the file's content, and of a copy also by what it is made of."""
    digest = hashlib.blake2b(content(item.path, item.place), digest_size=16)
    if item.copy:
        digest.update(repr((extractor.augmentation, item.sample_id, item.copy)).encode())
    return digest.hexdigest()


def _check_finite(features: NDArray[np.floating], items: list[Item], extractor: Extractor) -> None:
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        own = items[int(np.flatnonzero(~finite)[0])]
        place = own.place or numbered(own.path)
        raise InputError(f"{place}: {extractor.name} returns NaN or infinity: are these the right weights?")


def forward(new: dict[str, Item], extractor: Extractor) -> Iterator[tuple[list[str], Floats]]:
    """Yield keys and features [n, F], a batch at a time.

    The last batch is filled up, so that all are computed alike: an image's features do not depend on where a kill, or
    another cohort, put it.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # Channels last: VGG on a CPU then takes two thirds of the time.
    network = extractor.network.eval().to(device).to(memory_format=torch.channels_last)
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (extractor.mean, extractor.std))
    size = extractor.batch_size
    images = read_ahead(lambda item: decode(item, extractor), new.values(), ahead=size)
    names = iter(new)
    while chunk := list(itertools.islice(images, size)):
        filled = np.stack(chunk + [chunk[-1]] * (size - len(chunk)))
        with torch.inference_mode():
            pixels = torch.from_numpy(filled).to(device).permute(0, 3, 1, 2).float() / 255
            features = network(((pixels - mean) / std).contiguous(memory_format=torch.channels_last))
        yield list(itertools.islice(names, len(chunk))), _rows(features, len(chunk))


def _rows(features: "torch.Tensor", num: int) -> Floats:
    """Return the first `num` images' features as rows [num, F], channels first whatever the memory format."""
    rows: Floats = features[:num].cpu().contiguous().flatten(1).numpy()
    return rows


def decode(item: Item, extractor: Extractor) -> NDArray[np.uint8]:
    """Read an image as RGB on white ground, prepared for the network [H, W, 3].

    Raises:
        InputError: for a file that is not a complete JPEG or PNG image.
    """
    size = (extractor.width, extractor.height)
    prepared = opened(item.path, size, lambda image: extractor.prepare(image, item), extractor.remedy, item.place)
    return np.asarray(prepared, dtype=np.uint8)
