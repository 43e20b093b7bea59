"""Images of ENRICO: a screenshot or wireframe as the map that a frozen network makes of it."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.contract.cohort import read_cohort
from stages.datasets.enrico.augment import draw_change, prepare_copy
from stages.datasets.enrico.settings import VGG, ImageSettings, Settings
from stages.datasets.enrico.source import IMAGES, having_images, image_path
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save
from stages.shared.files import write_whole
from stages.shared.images.image_features import write_image_features
from stages.shared.images.images import Extractor, Item
from stages.shared.images.networks import build_network, fingerprint, untrained_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

DRAWN = "wireframe"  # its colours name components
CHANNELS, STRIDE = 512, 32  # of VGG-11's convolutions: five poolings halve height and width


def image(modality: Annotated[str, typer.Argument(help="screenshot or wireframe")]) -> None:
    """Write data/features/enrico/<modality>.npy, .copies.npy and .json.

    Raises:
        InputError: for a modality that is not in the cohort, or the first image that cannot be decoded.
    """
    settings = load_block("data.enrico", Settings)
    if modality not in settings.modalities:
        raise InputError(f"{modality!r} is not one of data.enrico.modalities; {nearest(modality, settings.modalities)}")
    table = read_cohort(paths.cohort("enrico"))
    is_train = (table["split"] == "train").to_numpy()
    present = np.ones(len(table), bool)
    if settings.incomplete == "keep":
        present = having_images(settings.raw, modality, table["sample_id"].tolist())
    paths_of = [(image_path(settings.raw, modality, own), own) for own in table["sample_id"][present]]
    items = [Item(path, own, place=str(path)) for path, own in paths_of]  # ENRICO is open: an error may name a screen
    train = [item for item, own in zip(items, is_train[present], strict=True) if own]
    copies = [item._replace(copy=1 + number) for item in train for number in range(settings.image.copies)]
    extractor = build_extractor(settings.image, modality)
    about = {
        "kind": "image",
        "source": str(items[0].path.parent),
        "height": settings.image.height,
        "width": settings.image.width,
        "augment": settings.image.augment,
    }
    write_image_features("enrico", modality, items, copies, is_train, extractor, about, present)
    if not copies:
        # DVC has no outputs that exist only at times.
        none = np.empty((int(is_train.sum()), 0, *extractor.shape), np.float16)
        write_whole(paths.features("enrico") / f"{modality}.copies.npy", lambda partial: save(partial, none))


def build_extractor(settings: ImageSettings, modality: str) -> Extractor:
    """Build the network; images are resized to its input, and copies changed first."""
    if settings.encoder != VGG:
        return build_vision(settings, modality)
    key = "data.enrico.image.weights"
    network = build_network("vgg11", settings.weights, settings.seed, key).get_submodule("features")
    size = (settings.width, settings.height)
    return Extractor(
        network=network,
        prepare=preparation(settings, modality),
        width=settings.width,
        height=settings.height,
        shape=(CHANNELS, settings.height // STRIDE, settings.width // STRIDE),
        batch_size=settings.batch_size,
        name=f"VGG-11's convolutions, weights {settings.weights}",
        key=fingerprint(network, "vgg11", size),
        remedy=remedy(modality),
        note=untrained_note(settings.weights, "VGG-11", settings.seed),
        augmentation=augmentation(settings, modality),
    )


def build_vision(settings: ImageSettings, modality: str) -> Extractor:
    """Build a Hugging Face vision model, which returns a map of its patches.

    Raises:
        InputError: when it sees images of another size than the settings'.
    """
    from stages.shared.pretrained.vision import load_vision_tower

    tower = load_vision_tower(settings.encoder, "data.enrico.image.encoder")
    if (tower.height, tower.width) != (settings.height, settings.width):
        raise InputError(
            f"data.enrico.image.encoder: {settings.encoder} sees images of {tower.height} x {tower.width} pixels: set "
            f"data.enrico.image.height to {tower.height} and data.enrico.image.width to {tower.width}"
        )
    return tower.extractor(
        preparation(settings, modality),
        "resize",
        settings.batch_size,
        remedy(modality),
        augmentation(settings, modality),
    )


def preparation(settings: ImageSettings, modality: str) -> "Callable[[Image.Image, Item], Image.Image]":
    """Return what makes a screen, or an augmented copy of it, as large as the network sees it."""
    size = (settings.width, settings.height)

    def prepare(screen: "Image.Image", item: Item) -> "Image.Image":
        from PIL import Image

        if not item.copy:
            return screen.resize(size, Image.Resampling.BILINEAR)
        change = draw_change(settings.seed, item.sample_id, item.copy)
        return prepare_copy(screen, change, settings.augment, size, is_drawn=modality == DRAWN)

    return prepare


def augmentation(settings: ImageSettings, modality: str) -> str:
    """Name how copies are made."""
    return repr((sorted(settings.augment), settings.seed, modality == DRAWN))


def remedy(modality: str) -> str:
    """Return what to do about a file that cannot be decoded."""
    return f"unpack it again from {IMAGES[modality][0]}.zip, or list its screen under data.enrico.exclude"


if __name__ == "__main__":
    run(image)
