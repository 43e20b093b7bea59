"""Write a synthetic MMHS150K: the archive's files and gaps, word vectors, and a planted cause of the label.

Of each tweet one of three terms decides (`planted.json`): a word that only the tweet has (uniqueness), a word that the
image has too (redundancy), or an exclusive or of a word and a shape in the image (synergy). All words are made up.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from i2moe.contract.planted import PlantedTerm
from stages.datasets.mmhs.settings import SyntheticSettings
from stages.datasets.mmhs.source import FOLDS, GROUND_TRUTH, LABELS, SPLITS
from stages.datasets.mmhs.synthetic.files import SHOWN_BY, WORDS, write_images, write_texts, write_vectors
from stages.datasets.mmhs.synthetic.tweets import CAUSES, ERROR_RATE, RULE, SyntheticTweets, draw_tweets
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

VECTORS, KEYWORDS = "vectors.bin", "hatespeech_keywords.txt"
OFFICIAL_SHARES = (0.68, 0.1, 0.2)  # of FOLDS; the others are in none
TERMS = [
    PlantedTerm(role="uniqueness", modalities=["tweet"], words="a keyword of the tweet"),
    PlantedTerm(role="redundancy", modalities=["tweet", "ocr"], words="a word of the tweet that the image shows too"),
    PlantedTerm(
        role="synergy",
        modalities=["tweet", "image"],
        words="a word of one kind with bars in the image, or of the other kind with a disc, but not both",
    ),
]


def synthesize() -> None:
    """Write data/synthetic/mmhs: the archive's files, vectors.bin, planted.json and planted.csv."""
    settings = load_block("synthetic.mmhs", SyntheticSettings)
    with new_files("mmhs") as folder:
        write_files(folder, settings.tweets, settings.seed)
    print(f"{paths.synthetic('mmhs')}: synthetic MMHS150K of {settings.tweets} tweets")


def write_files(folder: Path, num_tweets: int, seed: int) -> None:
    """Write all files; each kind draws from a stream of its own."""
    streams = [np.random.default_rng([seed, number]) for number in range(5)]
    tweets = draw_tweets(num_tweets, streams[0])
    folder.mkdir(parents=True, exist_ok=True)
    write_ground_truth(folder, tweets, write_texts(folder, tweets, streams[1]))
    write_images(folder, tweets, streams[2])
    write_vectors(folder / VECTORS, streams[3])
    keywords = [word for own in WORDS["keyword"] for word in own]
    (folder / KEYWORDS).write_text("".join(f"{word}\n" for word in keywords), encoding="utf-8")
    (folder / SPLITS).mkdir()
    order = streams[4].permutation(num_tweets)
    edges = np.cumsum([round(share * num_tweets) for share in OFFICIAL_SHARES])
    for file, rows in zip(FOLDS, np.split(order, edges), strict=False):
        (folder / SPLITS / file).write_text("".join(f"{tweets.ids[row]}\n" for row in rows), encoding="utf-8")
    _write_planted(folder, tweets, seed)


def write_ground_truth(folder: Path, tweets: SyntheticTweets, texts: list[str]) -> None:
    """Write MMHS150K_GT.json."""
    records = {
        tweet: {
            "img_url": f"https://synthetic.example/media/{tweets.ids[tweets.source[row]]}.jpg",
            "labels": tweets.annotations[row].tolist(),
            "labels_str": [LABELS[label] for label in tweets.annotations[row]],
            "tweet_url": f"https://synthetic.example/status/{tweet}",
            "tweet_text": texts[row],
        }
        for row, tweet in enumerate(tweets.ids)
    }
    (folder / GROUND_TRUTH).write_text(json.dumps(records), encoding="utf-8")


def _write_planted(folder: Path, tweets: SyntheticTweets, seed: int) -> None:
    """Write the rule, and each tweet's cause and terms."""
    columns = {"tweet_id": tweets.ids, "cause": tweets.cause, **tweets.terms, "hate": tweets.is_hate.astype(int)}
    pd.DataFrame(columns).to_csv(folder / "planted.csv", index=False, lineterminator="\n")
    write_planted(
        folder,
        RULE,
        TERMS,
        causes=CAUSES,
        error_rate=ERROR_RATE,
        shown_by=SHOWN_BY,
        tweets=len(tweets.ids),
        seed=seed,
    )


if __name__ == "__main__":
    run(synthesize)
