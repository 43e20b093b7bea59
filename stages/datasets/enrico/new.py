"""New screens of ENRICO: their images through the same network, scaled as those of the train split."""

from pathlib import Path

import numpy as np

from i2moe.base.errors import InputError
from stages.datasets.enrico import image as image_stage
from stages.datasets.enrico.settings import Settings
from stages.datasets.enrico.source import IMAGES, image_path
from stages.shared.base.params import load_block
from stages.shared.images.image_features import write_new_images
from stages.shared.images.images import Item
from stages.shared.new import NewSamples


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new screens: those with an image of every modality, or any where incomplete ones are kept.

    No table is read.

    Raises:
        InputError: when no screen is left, or an image cannot be decoded.
    """
    settings = load_block(f"data.{dataset}", Settings)
    found = [_screens(raw, modality) for modality in settings.modalities]
    every = set.union(*found)
    screens = sorted(every if settings.incomplete == "keep" else set.intersection(*found))
    if not screens:
        folders = " and ".join(IMAGES[modality][0] for modality in settings.modalities)
        raise InputError(f"{raw}: no screen has an image in {folders}")
    for modality, own in zip(settings.modalities, found, strict=True):
        files = [(image_path(str(raw), modality, screen), screen) for screen in screens if screen in own]
        items = [Item(path, screen, place=str(path)) for path, screen in files]
        present = np.isin(screens, sorted(own))
        extractor = image_stage.build_extractor(settings.image, modality)
        write_new_images(dataset, modality, items, present, extractor, folder, {"kind": "image"})
    return NewSamples(screens, {"without every image": len(every) - len(screens)})


def _screens(raw: Path, modality: str) -> set[str]:
    folder, ending = IMAGES[modality]
    return {path.stem for path in (raw / folder).glob(f"*{ending}")}
