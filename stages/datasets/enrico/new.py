"""New screens of ENRICO: their images through the same network, scaled as those of the train split."""

from pathlib import Path

from i2moe.base.errors import InputError
from stages.datasets.enrico import image as image_stage
from stages.datasets.enrico.settings import Settings
from stages.datasets.enrico.source import IMAGES, image_path
from stages.shared.base.params import load_block
from stages.shared.images.image_features import write_new_images
from stages.shared.images.images import Item
from stages.shared.new import NewSamples


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new screens: those that have an image of every modality; no table is read.

    Raises:
        InputError: when no screen has every image, or one cannot be decoded.
    """
    settings = load_block(f"data.{dataset}", Settings)
    found = [_screens(raw, modality) for modality in settings.modalities]
    screens, every = sorted(set.intersection(*found)), set.union(*found)
    if not screens:
        folders = " and ".join(IMAGES[modality][0] for modality in settings.modalities)
        raise InputError(f"{raw}: no screen has an image in {folders}")
    for modality in settings.modalities:
        items = [Item(image_path(str(raw), modality, screen), screen) for screen in screens]
        about = {"kind": "image", "source": str(items[0].path.parent)}
        extractor = image_stage.build_extractor(settings.image, modality)
        write_new_images(dataset, modality, items, extractor, folder, about)
    return NewSamples(screens, {"without every image": len(every) - len(screens)})


def _screens(raw: Path, modality: str) -> set[str]:
    folder, ending = IMAGES[modality]
    return {path.stem for path in (raw / folder).glob(f"*{ending}")}
