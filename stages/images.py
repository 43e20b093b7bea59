"""Images through a frozen VGG, each once: its features stay on disk, so that a kill or another split costs little.

Posters (MM-IMDb) and screens (ENRICO) share this: files are read ahead and decoded, go through the network in batches,
and are appended to a store; `write_image_features` then scales them with the train split and writes the arrays.
"""

import hashlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.errors import InputError
from stages import paths
from stages.features import fitted_on_train, write_features, write_whole
from stages.prefetch import in_order

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

UNTRAINED = "none"
# Of ImageNet, on which torchvision's weights were trained (torchvision.models).
CHANNEL_MEAN, CHANNEL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WHITE = (255, 255, 255, 255)
MAX_PIXELS = 2**26  # of an image: more is neither poster nor screen
BLOCK_BYTES = 2**26  # of features scaled at a time

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Item(NamedTuple):
    """An image to look at: its file, and what to make of it: 0 as it is, or the number of an augmented copy."""

    path: Path
    sample_id: str
    copy: int = 0


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
    key: str  # of network, weights and preparation: features of one key may stand in one store
    remedy: str  # for a file that cannot be decoded
    note: str | None  # what a reader of results must know
    augmentation: str = ""  # how `prepare` makes copies: copies made otherwise are others, plain images stay the same


def build_vgg(architecture: str, weights: str, seed: int, key: str) -> "nn.Module":
    """Build a torchvision VGG with trained or with random weights.

    Args:
        architecture: vgg11 | vgg16.
        weights: `none`, a name of torchvision's (downloaded on first use), or a local file of a state dict.
        seed: of random weights.
        key: of params.yaml, for errors.

    Raises:
        InputError: when the weights are neither, cannot be downloaded, or are not of this network.
    """
    import torch
    from torchvision import models

    if weights == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: nn.Module = models.get_model(architecture, weights=None)
        return network
    named = models.get_model_weights(architecture)
    if weights in named.__members__:
        try:
            network = models.get_model(architecture, weights=named[weights])
        except (OSError, RuntimeError) as error:  # no connection; a download cut short
            raise InputError(
                f"{key}: torchvision cannot download {architecture}'s {weights} ({error}): bring "
                f"{named[weights].url} to this machine and name the file"
            ) from error
        return network
    if not Path(weights).is_file():
        names = ", ".join(named.__members__)
        raise InputError(f"{key}: {weights!r} is no file; allowed: none, {names}, or a local file of weights")
    network = models.get_model(architecture, weights=None, init_weights=False)
    problem = f"{key}: {weights} is no state dict of torchvision's {architecture}"
    _load_state(network, weights, problem, f"name its file, such as that of {next(iter(named)).url}")
    return network


def _load_state(network: "nn.Module", path: str, problem: str, remedy: str) -> None:
    """Load a local file of weights, which may hold tensors and nothing that could be executed."""
    import torch

    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch names many kinds of broken file
        raise InputError(f"{problem} ({_first_line(error)}): {remedy}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]


def fingerprint(network: "nn.Module", *more: object) -> str:
    """Hash a network's weights and whatever else decides on its features."""
    digest = hashlib.blake2b(repr(more).encode(), digest_size=12)
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.contiguous().numpy())
    return digest.hexdigest()


def untrained_note(weights: str, network: str, seed: int) -> str | None:
    """Return what a reader must know of features by random weights; None for trained ones."""
    return f"untrained image features ({network} with random weights, seed {seed})" if weights == UNTRAINED else None


class Store:
    """Features of single images, in the order they were made: `features.f32` [n, F] and `keys.txt`, a line each.

    Only ever appended to. What a kill left half written is cut off when the store is opened again.
    """

    def __init__(self, folder: Path, num_features: int) -> None:
        self.num_features = num_features
        self.features, self.names = folder / "features.f32", folder / "keys.txt"
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.features, self.names):
            path.touch()
        lines = self.names.read_text().splitlines(keepends=True)
        self.keys = [line.rstrip("\n") for line in lines if line.endswith("\n")]
        del self.keys[self.features.stat().st_size // (4 * num_features) :]
        with self.names.open("r+") as stream:
            stream.truncate(sum(len(key) + 1 for key in self.keys))
        with self.features.open("r+b") as stream:
            stream.truncate(len(self.keys) * 4 * num_features)

    def append(self, keys: list[str], features: Floats) -> None:
        """Append features [n, F]; names come last, for they say what is complete."""
        with self.features.open("ab") as stream:
            stream.write(np.ascontiguousarray(features, dtype=np.float32).tobytes())
        with self.names.open("a") as stream:
            stream.write("".join(f"{key}\n" for key in keys))
        self.keys += keys

    def array(self) -> Floats:
        """Memory-map all features [n, F]."""
        return np.memmap(self.features, np.float32, "r", shape=(len(self.keys), self.num_features))


def embed(items: Sequence[Item], extractor: Extractor) -> tuple[Floats, Ints]:
    """Return features [n, F], memory-mapped, and the row of each item among them; only new images are computed.

    Raises:
        InputError: for the first file that is missing or cannot be decoded.
    """
    store = Store(paths.image_features(extractor.key), int(np.prod(extractor.shape)))
    keys = list(in_order(lambda item: _key(item, extractor), items, ahead=64))
    known = set(store.keys)
    new = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
    if new:
        bar = tqdm(total=len(new), desc="images", unit="image", mininterval=1, delay=2, dynamic_ncols=True)
        with bar:
            for names, features in forward(new, extractor):
                _check_finite(features, [new[name] for name in names], extractor)
                store.append(names, features)
                bar.update(len(names))
    position = {key: row for row, key in enumerate(store.keys)}
    return store.array(), np.array([position[key] for key in keys], dtype=np.int64)


def _key(item: Item, extractor: Extractor) -> str:
    """Name what the network sees by the file's content, and of a copy also by what it is made of."""
    digest = hashlib.blake2b(_content(item.path), digest_size=16)
    if item.copy:
        digest.update(repr((extractor.augmentation, item.sample_id, item.copy)).encode())
    return digest.hexdigest()


def _check_finite(features: Floats, items: list[Item], extractor: Extractor) -> None:
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        path = items[int(np.flatnonzero(~finite)[0])].path
        raise InputError(f"{path}: {extractor.name} gives NaN or infinity: are these the right weights?")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): put it there") from error


def forward(new: dict[str, Item], extractor: Extractor) -> Iterator[tuple[list[str], Floats]]:
    """Yield keys and features [n, F], a batch at a time.

    The last batch is filled up, so that all are computed alike: an image's features do not depend on where a kill, or
    another cohort, put it.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # Channels last: VGG on a CPU then takes two thirds of the time.
    network = extractor.network.eval().to(device).to(memory_format=torch.channels_last)
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (CHANNEL_MEAN, CHANNEL_STD))
    size = extractor.batch_size
    images = in_order(lambda item: decode(item, extractor), new.values(), ahead=size)
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
        InputError: for a file that is no whole JPEG or PNG image.
    """
    from PIL import Image, UnidentifiedImageError

    content = _content(item.path)
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as image:
            _check_size(image)
            image.draft("RGB", (extractor.width, extractor.height))  # a JPEG much larger is decoded at a fraction
            prepared = extractor.prepare(_flatten(image), item)
    except UnidentifiedImageError as error:
        raise InputError(f"{item.path} is no JPEG or PNG image: {extractor.remedy}") from error
    except Exception as error:  # Pillow's decoders raise many kinds
        raise InputError(f"{item.path} cannot be decoded ({_first_line(error)}): {extractor.remedy}") from error
    return np.asarray(prepared, dtype=np.uint8)


def _check_size(image: "Image.Image") -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too many")


def _flatten(image: "Image.Image") -> "Image.Image":
    """Return an image as RGB, what is transparent in white."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer).convert("RGB")


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
    scaled = Scaled(lambda part: np.asarray(features[part]), own, is_train, extractor.shape, source)
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

    def write(self, path: Path, rows: Ints, shape: tuple[int, ...]) -> None:
        """Write scaled features of rows as an NPY file of float16 of this shape, some at a time.

        Raises:
            InputError: for a value that float16 cannot hold, or that is not finite.
        """
        with path.open("wb") as stream:
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for part in self._blocks(rows):
                scaled = (self.read(part) - self.mean) / self.std
                if not np.abs(scaled).max() <= np.finfo(np.float16).max:
                    raise InputError(
                        f"{self.source}: an image's features are not finite or far from all others: are these images?"
                    )
                stream.write(scaled.astype("<f2").tobytes())

    def describe(self) -> dict[str, Any]:
        """Return what was fitted, for the JSON."""
        what = "mean of each feature, one deviation of all"
        return fitted_on_train(self.is_train, what) | {"mean_of_means": float(self.mean.mean()), "std": self.std}


def write_scaled(dataset: str, modality: str, scaled: Scaled, about: dict[str, Any]) -> None:
    """Write scaled features [N, …] of all samples with their description."""
    shape = (len(scaled.rows), *scaled.shape)
    path = write_features(
        dataset,
        modality,
        lambda partial: scaled.write(partial, scaled.rows, shape),
        lambda: about | {"fitted": scaled.describe()},
    )
    print(f"{path}: {' x '.join(map(str, shape))}")
