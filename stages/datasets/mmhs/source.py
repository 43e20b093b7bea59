"""MMHS150K's raw files: MMHS150K_GT.json, img_resized/, img_txt/ and splits/.

Source: the archive's own README.txt (Gomez et al. 2020).
"""

import html
import itertools
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError, numbered
from i2moe.contract.reading import load_json
from stages.shared.prefetch import read_ahead

GROUND_TRUTH, IMAGES, TEXTS, SPLITS = "MMHS150K_GT.json", "img_resized", "img_txt", "splits"
FOLDS = {"train_ids.txt": "train", "val_ids.txt": "validation", "test_ids.txt": "test"}
LABELS = ("NotHate", "Racist", "Sexist", "Homophobe", "Religion", "OtherHate")  # an annotation is one's number
REMEDY = "unpack MMHS150K.zip there"
AGAIN = "unpack the archive again"
# What is in a tweet and says nothing: links, the mark of a retweet, and mentions of people.
NOISE = re.compile(r"https?://\S+|\bpic\.twitter\.com/\S+|^\s*RT\b|\bRT(?=\s+@)|@\w+:?")


def read_ground_truth(raw: str, *, labelled: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """Read every tweet's annotations, the address of its image, and its text.

    Args:
        raw: the folder.
        labelled: whether every tweet must have annotations; those of new ones are not looked at.

    Returns:
        A row per tweet, sorted by tweet_id: image_url, and the number of annotators who chose each of LABELS. The
        tweets' texts, cleaned.

    Raises:
        InputError: for a file that is missing, not JSON or not a dictionary of tweets, for a tweet that is in it twice,
            without a list of labels, or with a label that is not one of the six.
    """
    path = Path(raw) / GROUND_TRUTH
    records = _read_records(path)
    names = sorted(records)
    labels: list[Any] = [records[name].get("labels") if labelled else [] for name in names]
    for place, own in enumerate(labels, start=1):
        if not (isinstance(own, list) and all(label in range(len(LABELS)) for label in own)):
            raise InputError(f"{path}: tweet {place} by id: 'labels' is not a list of numbers from 0 to 5: {AGAIN}")
    urls, texts = (_texts(path, records, names, key) for key in ("img_url", "tweet_text"))
    table = pd.DataFrame({"tweet_id": names, "image_url": urls} | dict(zip(LABELS, count_votes(labels).T, strict=True)))
    return table, [clean(text) for text in texts]


def _read_records(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        raise InputError(f"{path} is missing: {REMEDY}")

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise InputError(f"{path}: {len(pairs) - len(found)} of the keys of an object are in it twice: {AGAIN}")
        return found

    try:
        records = load_json(path.read_bytes(), object_pairs_hook=once_each)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or cut off
        raise InputError(f"{path} is not a complete JSON file: {AGAIN}") from error
    if not (isinstance(records, dict) and records and all(isinstance(record, dict) for record in records.values())):
        raise InputError(f"{path} is not a dictionary of tweets by id: {AGAIN}")
    return records


def _texts(path: Path, records: dict[str, dict[str, Any]], names: list[str], key: str) -> list[str]:
    """Return what each tweet has under a key, empty where it has nothing."""
    values = [records[name].get(key) for name in names]
    for place, value in enumerate(values, start=1):
        if not isinstance(value, str | None):
            raise InputError(f"{path}: tweet {place} by id: {key!r} is not a text: {AGAIN}")
    return [value or "" for value in values]


def count_votes(labels: list[list[int]]) -> NDArray[np.int64]:
    """Count how many of a tweet's annotators chose each label [N, 6].

    Examples:
        >>> count_votes([[0, 0, 5], [1, 2]]).tolist()
        [[2, 0, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0]]
    """
    rows = np.repeat(np.arange(len(labels)), [len(own) for own in labels])
    chosen = np.fromiter(itertools.chain.from_iterable(labels), dtype=np.int64)
    counts = np.bincount(rows * len(LABELS) + chosen, minlength=len(labels) * len(LABELS))
    return counts.reshape(len(labels), len(LABELS))


def clean(text: str) -> str:
    """Remove links, mentions and the mark of a retweet from a text; lower case, one space between words.

    Examples:
        >>> clean("RT @some_one: Tea &amp; cake https://t.co/x1 #Sunday")
        'tea & cake #sunday'
    """
    return " ".join(NOISE.sub(" ", html.unescape(text)).lower().split())


def read_folds(raw: str, tweets: "pd.Series[str]") -> NDArray[np.str_]:
    """Return each tweet's official split; empty where it is in none.

    Raises:
        InputError: for a missing file of ids, an id that is in them twice, or one that is no tweet.
    """
    remedy = "take it from the archive, or set data.mmhs.split to shares"
    parts = []
    for file, fold in FOLDS.items():
        path = Path(raw) / SPLITS / file
        if not path.is_file():
            raise InputError(f"{path} is missing: {remedy}")
        ids = path.read_text(encoding="utf-8", errors="replace").split()
        parts.append(pd.DataFrame({"tweet_id": ids, "fold": fold, "file": path, "place": range(1, len(ids) + 1)}))
    listed = pd.concat(parts, ignore_index=True)
    for bad, problem in (
        (listed["tweet_id"].duplicated(), "is in it twice, or in another split too"),
        (~listed["tweet_id"].isin(tweets), f"is not in {GROUND_TRUTH}"),
    ):
        if bad.any():
            first = listed[bad].iloc[0]
            raise InputError(f"{first['file']}: id {first['place']} {problem}: {remedy}")
    folds: NDArray[np.str_] = tweets.map(listed.set_index("tweet_id")["fold"]).fillna("").to_numpy(str)
    return folds


def has_image(raw: str, tweets: "pd.Series[str]") -> NDArray[np.bool_]:
    """Return whether there is a file of each tweet's image.

    Raises:
        InputError: for a missing folder.
    """
    found: NDArray[np.bool_] = (tweets + ".jpg").isin(_files(Path(raw) / IMAGES)).to_numpy()
    return found


def image_path(raw: str, tweet: str) -> Path:
    """Return the file of a tweet's image."""
    return Path(raw) / IMAGES / f"{tweet}.jpg"


def read_image_texts(raw: str, tweets: "pd.Series[str]") -> list[str]:
    """Return the text that OCR found in each tweet's image, cleaned as tweets are; empty where it found none.

    Raises:
        InputError: for a missing folder, or a file that does not hold a text.
    """
    folder = Path(raw) / TEXTS
    rows = np.flatnonzero((tweets + ".json").isin(_files(folder)))
    paths = [folder / f"{tweet}.json" for tweet in tweets.iloc[rows]]
    bar = tqdm(read_ahead(_read_image_text, paths, ahead=256), total=len(paths), desc="OCR", unit="file", delay=2)
    texts = [""] * len(tweets)
    for row, text in zip(rows.tolist(), bar, strict=True):
        texts[row] = text
    return texts


def _read_image_text(path: Path) -> str:
    try:
        found = load_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{numbered(path)} cannot be read ({error.strerror}): {AGAIN}") from error
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise InputError(f"{numbered(path)} is not a complete JSON file: {AGAIN}") from error
    if not (isinstance(found, dict) and isinstance(found.get("img_text"), str)):
        raise InputError(f"{numbered(path)} has no text 'img_text': {AGAIN}")
    return clean(found["img_text"])


def _files(folder: Path) -> set[str]:
    """Return the names of the files of a folder, which may have 150,000."""
    if not folder.is_dir():
        raise InputError(f"{folder} is missing: {REMEDY}")
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}
