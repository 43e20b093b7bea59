"""Synthetic tweets: which of them are hate, and why (`RULE`). No word of them means anything."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.datasets.mmhs.source import LABELS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIRST_ID, MAX_STEP = 1_100_000_000_000_000_000, 10**12  # of ids, which have 19 digits as Twitter's
# What decides on a tweet, and the share of tweets on which it does.
CAUSES = {"keyword": 0.3, "pair": 0.4, "copied": 0.3}
RULE = (
    "of each tweet one term decides (cause): keyword, pair = -word_bit x image_bit, or copied; it is hate where that "
    "is 1 and not where it is -1, and each of three annotators errs by chance"
)
ERROR_RATE = 0.08  # of an annotator
# What keeps a tweet out of the cohort, and what is in it twice, in shares.
SHARE_WITHOUT_IMAGE, SHARE_WITHOUT_WORDS, SHARE_TIED, SHARE_REPEATED = 0.02, 0.02, 0.02, 0.03


@dataclass(frozen=True)
class SyntheticTweets:
    """N tweets, and which lacks what."""

    ids: list[str]
    cause: NDArray[np.str_]  # of CAUSES
    terms: dict[str, Ints]  # keyword, word_bit, image_bit, copied and pair; +1 or -1
    kinds: Ints  # of hate, 1 to 5; what a tweet would be about if it were hate
    annotations: Ints  # [N, 3]
    source: Ints  # the tweet whose text and image each has: its own number, or an earlier tweet's
    has_image: Bools
    has_words: Bools

    @property
    def is_hate(self) -> Bools:
        """Return whether each is hate by the rule."""
        return np.select([self.cause == name for name in CAUSES], [self.terms[name] for name in CAUSES]) > 0


def draw_tweets(num: int, generator: np.random.Generator) -> SyntheticTweets:
    """Draw tweets with their terms, and by the planted rule their annotations."""
    numbers = np.arange(num)
    repeats = (generator.random(num) < SHARE_REPEATED) & (numbers > 0)
    source = np.where(repeats, generator.integers(0, np.maximum(numbers, 1)), numbers)
    source = np.where(repeats[source], numbers, source)  # not of a repeated one
    terms = {name: generator.choice([-1, 1], num)[source] for name in ("keyword", "word_bit", "image_bit", "copied")}
    terms["pair"] = -terms["word_bit"] * terms["image_bit"]
    tweets = SyntheticTweets(
        ids=[str(FIRST_ID + step) for step in np.cumsum(generator.integers(1, MAX_STEP, num)).tolist()],
        cause=generator.choice(list(CAUSES), num, p=list(CAUSES.values()))[source],
        terms=terms,
        kinds=generator.integers(1, len(LABELS), num)[source],
        annotations=np.zeros((num, 3), dtype=np.int64),
        source=source,
        has_image=generator.random(num) >= SHARE_WITHOUT_IMAGE,
        has_words=generator.random(num)[source] >= SHARE_WITHOUT_WORDS,
    )
    tweets.annotations[:] = annotate(np.where(tweets.is_hate, tweets.kinds, 0), generator)
    return tweets


def annotate(truth: Ints, generator: np.random.Generator) -> Ints:
    """Draw three annotations of each tweet [N, 3]: the true label or by chance another; of some tweets three others."""
    shape = (len(truth), 3)
    errs = generator.random(shape) < ERROR_RATE
    others = (truth[:, None] + generator.integers(1, len(LABELS), shape)) % len(LABELS)
    annotations = np.where(errs, others, truth[:, None])
    tied = generator.random(len(truth)) < SHARE_TIED
    three = generator.permuted(np.tile(np.arange(len(LABELS)), (len(truth), 1)), axis=1)[:, :3]
    return np.where(tied[:, None], three, annotations)
