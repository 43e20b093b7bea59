"""Synthetic utterances: the sentiment of each, why it has it (`RULE`), and the sequences that show it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UTTERANCES_A_VIDEO = (4, 10)  # fewest and most
FOLD_VIDEOS = {"train": 52, "valid": 10, "test": 31}  # of CMU-MOSI's 93; ours in these shares
STEPS = 50
WORDS = 12  # per utterance, on average
SECONDS_A_WORD = 0.35
WIDTHS = {"vision": 20, "audio": 5, "text": 300}
SHARE_UNKNOWN_WORDS, SHARE_FACES_LOST, SHARE_SILENT = 0.03, 0.02, 0.05  # of words
SHARE_WITHOUT = {"text": 0.02, "vision": 0.03, "audio": 0.02}  # utterances that are zeros alone, at random

# Terms are standard normal, except the exclusive or of two bits: +1, -1, or 0 where one of them is 0.
WEIGHTS = {"text": 1.0, "shared": 1.2, "exclusive_or": 1.0}
SHARE_NEUTRAL = 0.25  # of the bits: 0, so that what a model makes of a bit between the two is not left to chance
SPEAKER, NOISE = 0.1, 0.1  # deviations of what nothing shows: a video's own mean, an utterance's noise
MAX_SENTIMENT = 3
GRADES = 5  # per unit: the real sentiment is a mean over five annotators
RULE = (
    "sentiment = sum of weight x term + speaker x normal of the video + noise x normal, rounded to fifths and clipped "
    "to -3 and 3"
)
# The features, first and one past the last, to which a term or bit (-1, 0 or 1) is added at every word.
SHOWN_BY = {
    "text": {"text": (0, 60)},
    "shared": {"vision": (0, 10), "audio": (0, 2), "text": (60, 120)},
    "audio_bit": {"audio": (2, 4)},
    "text_bit": {"text": (120, 280)},
}
SILENT_FEATURE = 4  # of audio: a logarithm, -inf where nothing sounds
VIDEO_OFFSET, WORD_NOISE = 0.2, 0.5  # deviations of a speaker's own value of each feature, and of each word's


@dataclass(frozen=True)
class Synthetic:
    """n utterances, video after video."""

    video: Ints  # [n]
    fold: NDArray[np.str_]  # [n]
    ids: NDArray[np.object_]  # [n, 3] of bytes: video, start and end in seconds
    terms: dict[str, Floats]  # [n] each: of WEIGHTS, and audio_bit and text_bit
    label: Floats  # [n]
    length: Ints  # [n], words
    has: dict[str, Bools]  # [n] each: whether a modality is more than zeros


def draw_utterances(num_videos: int, generator: np.random.Generator) -> Synthetic:
    """Draw utterances with their terms, and by the planted rule their sentiment."""
    counts = generator.integers(*UTTERANCES_A_VIDEO, num_videos, endpoint=True)
    video = np.repeat(np.arange(num_videos), counts)
    num = len(video)
    terms: dict[str, Floats] = {name: generator.normal(size=num) for name in ("text", "shared")}
    chances = [(1 - SHARE_NEUTRAL) / 2, SHARE_NEUTRAL, (1 - SHARE_NEUTRAL) / 2]
    terms |= {name: generator.choice([-1.0, 0.0, 1.0], num, p=chances) for name in ("audio_bit", "text_bit")}
    terms["exclusive_or"] = -terms["audio_bit"] * terms["text_bit"]
    sentiment = np.sum([weight * terms[name] for name, weight in WEIGHTS.items()], axis=0)
    sentiment += SPEAKER * generator.normal(size=num_videos)[video] + NOISE * generator.normal(size=num)
    graded = np.round(sentiment * GRADES) / GRADES + 0.0  # no negative zero
    length = generator.poisson(WORDS, num).clip(1, STEPS)
    length[generator.random(num) < 1 / STEPS] = STEPS  # longer ones were cut
    return Synthetic(
        video=video,
        fold=_folds(num_videos)[video],
        ids=_ids(video, length, generator),
        terms=terms,
        label=graded.clip(-MAX_SENTIMENT, MAX_SENTIMENT),
        length=length,
        has={name: generator.random(num) >= share for name, share in SHARE_WITHOUT.items()},
    )


def _folds(num_videos: int) -> NDArray[np.str_]:
    """Return each video's fold: the first so many are train, then valid, then test."""
    shares = np.cumsum(list(FOLD_VIDEOS.values())) / sum(FOLD_VIDEOS.values())
    return np.array(list(FOLD_VIDEOS))[np.searchsorted(shares, (np.arange(num_videos) + 0.5) / num_videos)]


def _ids(video: Ints, length: Ints, generator: np.random.Generator) -> NDArray[np.object_]:
    """Return video, start and end of each utterance; those of a video follow each other."""
    pause = generator.uniform(0.2, 2, len(video))
    end = np.cumsum(pause + SECONDS_A_WORD * length)
    end -= np.concatenate([[0], end[:-1]])[np.searchsorted(video, video)]
    start = end - SECONDS_A_WORD * length
    rows = [
        (f"synthetic_{own:03d}".encode(), f"{first:.4f}".encode(), f"{last:.4f}".encode())
        for own, first, last in zip(video, start, end, strict=True)
    ]
    ids = np.empty((len(rows), 3), dtype=object)
    ids[:] = rows
    return ids


def draw_sequences(utterances: Synthetic, modality: str, generator: np.random.Generator) -> Floats:
    """Draw a modality's sequences [n, STEPS, F], padded on the left with zeros."""
    num, width = len(utterances.video), WIDTHS[modality]
    speaker = VIDEO_OFFSET * generator.normal(size=(utterances.video[-1] + 1, width))
    values = WORD_NOISE * generator.normal(size=(num, STEPS, width)) + speaker[utterances.video][:, None]
    for term, places in SHOWN_BY.items():
        if modality in places:
            values[:, :, slice(*places[modality])] += utterances.terms[term][:, None, None]
    _spoil(values, modality, generator)
    is_word = np.arange(STEPS) >= STEPS - utterances.length[:, None]
    values[~(is_word & utterances.has[modality][:, None])] = 0
    return values


def _spoil(values: Floats, modality: str, generator: np.random.Generator) -> None:
    """Put in place what real extractors leave: words without a vector, lost faces, logarithms of silence."""
    draws = generator.random(values.shape[:2])
    if modality == "text":
        draws[:, -1] = 1  # an utterance with text has a word that has a vector
        values[draws < SHARE_UNKNOWN_WORDS] = 0
    elif modality == "vision":
        values[draws < SHARE_FACES_LOST] = np.nan
    else:
        values[draws < SHARE_SILENT, SILENT_FEATURE] = -np.inf
