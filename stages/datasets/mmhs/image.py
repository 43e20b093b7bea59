"""Images of MMHS150K: VGG-16's second layer of 4096 after ReLU."""

import dataclasses
from pathlib import Path

from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import IMAGES, image_path
from stages.datasets.mmhs.table import present_of, read_samples, repeated
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.images.image_features import write_image_features
from stages.shared.images.images import Extractor, Item
from stages.shared.images.networks import vgg16_extractor


def image() -> None:
    """Write data/features/mmhs/image.npy [N, 4096] and .json."""
    settings = load_block("data.mmhs", Settings)
    samples, _, is_train = read_samples(settings)
    extractor = build_extractor(settings)
    present = present_of(samples, "image", settings)
    notes = [extractor.note, repeated(samples["same_image"][present], is_train[present], "image address")]
    extractor = dataclasses.replace(extractor, note="; ".join(filter(None, notes)) or None)
    items = [Item(image_path(settings.raw, tweet), tweet) for tweet in samples["tweet_id"][present]]
    description = {"kind": "vector", "source": str(Path(settings.raw) / IMAGES)}
    write_image_features("mmhs", "image", items, [], is_train, extractor, description, present)


def build_extractor(settings: Settings) -> Extractor:
    """Build VGG-16 up to its second layer of 4096."""
    return vgg16_extractor(
        settings.image.weights,
        settings.image.seed,
        settings.image.batch_size,
        layer="classifier",
        key="data.mmhs.image.weights",
        remedy="unpack the archive again, or remove this file",
    )


if __name__ == "__main__":
    run(image)
