"""New tweets of MMHS150K: texts and images prepared with what was fitted on the train split."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.mmhs import image as image_stage
from stages.datasets.mmhs.ocr import with_mark
from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import has_image, image_path, read_ground_truth, read_image_texts
from stages.datasets.mmhs.tweets import vectors_of
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import write_present, write_vectors
from stages.shared.images.image_features import write_new_images
from stages.shared.images.images import Item
from stages.shared.new import NewSamples
from stages.shared.words import TextVectors, scaled

Bools = NDArray[np.bool_]


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new tweets, with or without annotations, in a folder like the archive's.

    Those without an image or a word are left out; where incomplete ones are kept, those without any modality.

    Word vectors are those of the dataset's own `raw`, unless the new folder has a file of that name.

    Raises:
        InputError: for files that cannot be read, or without a tweet that has all that a prediction needs.
    """
    settings = load_block(f"data.{dataset}", Settings)
    table, own_texts = read_ground_truth(str(raw), labelled=False)
    ids = table["tweet_id"]
    texts = {"tweet": own_texts} if "tweet" in settings.modalities else {}
    if "ocr" in settings.modalities:
        texts["ocr"] = read_image_texts(str(raw), ids)
    own = raw / settings.vectors
    vectors = vectors_of(texts, own if own.exists() else Path(settings.raw) / settings.vectors) if texts else {}
    has = {kind: found.known > 0 for kind, found in vectors.items()}
    if "image" in settings.modalities:
        has["image"] = np.asarray(has_image(str(raw), ids))
    kept, removed = _who_stays(has, vectors, settings)
    if not kept.any():
        raise InputError(f"{raw}: no tweet has all that a prediction needs")
    for kind, found in vectors.items():
        present = has[kind][kept] if settings.incomplete == "keep" else np.ones(int(kept.sum()), bool)
        _write_texts(dataset, kind, found, kept, present, folder)
    if "image" in settings.modalities:
        present = has["image"][kept]
        items = [Item(image_path(str(raw), tweet), tweet) for tweet in ids[kept][present]]
        extractor = image_stage.build_extractor(settings)
        write_new_images(dataset, "image", items, present, extractor, folder, {"kind": "vector"})
    return NewSamples(ids[kept].tolist(), removed)


def _who_stays(
    has: dict[str, Bools], vectors: dict[str, TextVectors], settings: Settings
) -> tuple[Bools, dict[str, int]]:
    """Return which tweets stay [n], by which have what, and how many are left out and why."""
    if settings.incomplete == "keep":
        kept = np.logical_or.reduce(list(has.values()))
        return kept, {"without any modality": int((~kept).sum())}
    every = np.ones(len(next(iter(has.values()))), bool)
    has_image = has.get("image", every)
    has_words = vectors["tweet"].words > 0 if "tweet" in vectors else every
    removed = {
        "without an image file": int((~has_image).sum()),
        "without a word beside links and mentions": int((has_image & ~has_words).sum()),
    }
    return has_image & has_words, removed


def _write_texts(dataset: str, kind: str, found: TextVectors, kept: Bools, present: Bools, folder: Path) -> None:
    array = scaled(found.means[kept], found.known[kept] > 0, read_fitted(paths.fitted(dataset, kind)))
    if kind == "ocr":
        array = with_mark(array, found.words[kept] > 0, present)
    write_vectors(folder, kind, array, {})
    write_present(folder, kind, present)
