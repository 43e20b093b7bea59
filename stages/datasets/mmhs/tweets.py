"""All tweets of MMHS150K in one pass over the raw files: annotations, and texts as vectors."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import has_image, read_folds, read_ground_truth, read_image_texts
from stages.datasets.mmhs.table import TABLE, means_path
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save
from stages.shared.words import TextVectors, mean_vectors


def tweets() -> None:
    """Write data/interim/mmhs: tweets.parquet, a row per tweet, and mean word vectors; no text, and no split's numbers.

    Columns: tweet_id; the annotators of each of LABELS; has_image; fold, the official split where that is asked for;
    same_text and same_image, equal where two tweets have the same text or address of an image; of each kind of text
    (`tweet`, `ocr`) the number of its words and of those with a vector.
    """
    settings = load_block("data.mmhs", Settings)
    table, own_texts = read_ground_truth(settings.raw)
    ids, urls = table["tweet_id"], table.pop("image_url")
    table = table.assign(
        has_image=has_image(settings.raw, ids) if "image" in settings.modalities else True,
        fold=read_folds(settings.raw, ids) if settings.split == "official" else "",
        same_text=pd.factorize(np.array(own_texts, dtype=object))[0],
        same_image=pd.factorize(urls.where(urls != "", ids))[0],
    )
    texts = {"tweet": own_texts} if "tweet" in settings.modalities else {}
    if "ocr" in settings.modalities:
        texts["ocr"] = read_image_texts(settings.raw, ids)
    vectors = vectors_of(texts, Path(settings.raw) / settings.vectors) if texts else {}
    folder = paths.interim("mmhs")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for kind, own in vectors.items():
        table[f"{kind}_words"], table[f"{kind}_known"] = own.words, own.known
        save(means_path(kind), own.means)
    table.to_parquet(folder / TABLE, index=False)
    print(f"{folder}: {len(table)} tweets")


def vectors_of(texts: dict[str, list[str]], path: Path) -> dict[str, TextVectors]:
    """Return the mean vectors of each kind of text; the file of word vectors is read once.

    Args:
        texts: by kind, N each.
        path: of word vectors.
    """
    found = mean_vectors([text for own in texts.values() for text in own], path, "data.mmhs.vectors")
    parts = (np.split(values, len(texts)) for values in (found.means, found.words, found.known))
    return {kind: TextVectors(*own) for kind, *own in zip(texts, *parts, strict=True)}


if __name__ == "__main__":
    run(tweets)
