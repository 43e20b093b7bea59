"""What the features of tweets and of texts in images share: mean word vectors, standardised with the train split."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.table import read_means
from stages.shared.words import standardise


def scaled_texts(
    kind: str, settings: Settings, samples: pd.DataFrame, rows: NDArray[np.int64], is_train: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the vectors of a kind of text [N, D], 0 where no word has one, and their description.

    Args:
        kind: tweet | ocr.
        settings: of the dataset.
        samples: the cohort's rows of the table.
        rows: [N], their numbers.
        is_train: [N].

    Raises:
        InputError: when the tweets stage ran without this modality, or no train text has a known word.
    """
    means = read_means(kind, rows)
    words, known = (samples[f"{kind}_{column}"].to_numpy() for column in ("words", "known"))
    if not (is_train & (known > 0)).any():
        raise InputError(
            f"{settings.raw}: no train text of {kind!r} has a word with a vector: is {settings.vectors} the right file?"
        )
    vectors, fitted = standardise(means, known > 0, is_train)
    without = int(((words > 0) & (known == 0)).sum())
    share = round(1 - float(known.sum() / words.sum()), 4)
    print(f"mmhs {kind}: {share:.1%} of the words have no vector; {without} texts have none that has one and are 0")
    about = {
        "source": settings.raw,
        "vectors": settings.vectors,
        "share_of_words_without_vector": share,
        "texts_without_known_word": without,
        "note": f"{share:.1%} of the words have no vector",
        "fitted": fitted,
    }
    return vectors, about
