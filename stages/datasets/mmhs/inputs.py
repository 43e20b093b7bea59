"""Tweets of MMHS150K for people to look at: texts, images, and the texts in images."""

from collections.abc import Mapping

import pandas as pd

from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import image_path, read_ground_truth, read_image_texts
from stages.shared.base.params import load_block
from stages.shared.inputs import Images, Raw, Texts, texts_in_order


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return texts, cleaned as those of the features are, and images; see `stages.shared.inputs`."""
    raw = load_block(f"data.{dataset}", Settings).raw
    found: dict[str, Raw] = {}
    if "tweet" in samples:
        table, texts = read_ground_truth(raw, labelled=False)
        by_tweet = dict(zip(table["tweet_id"], texts, strict=True))
        found["tweet"] = texts_in_order(by_tweet, samples["tweet"], raw)
    if "image" in samples:
        found["image"] = Images([image_path(raw, tweet) for tweet in samples["image"]])
    if "ocr" in samples:
        found["ocr"] = Texts(read_image_texts(raw, pd.Series(samples["ocr"], dtype=str)))
    return found
