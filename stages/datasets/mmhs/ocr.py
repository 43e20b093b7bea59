"""Texts inside the images of MMHS150K: mean word vectors, standardised with the train split, and if there is a text."""

import numpy as np
from numpy.typing import NDArray

from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.table import present_of, read_samples
from stages.datasets.mmhs.texts import scaled_texts
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted, write_present, write_vectors
from stages.shared.words import fitted_words


def ocr() -> None:
    """Write data/features/mmhs/ocr.npy [N, D + 1] and .json; the last feature is 1 where the image has a text, else 0.

    Without a text, and without a known word, all others are 0; the last too where the tweet is kept without the text.
    """
    settings = load_block("data.mmhs", Settings)
    samples, rows, is_train = read_samples(settings)
    vectors, about = scaled_texts("ocr", settings, samples, rows, is_train)
    has_text = samples["ocr_words"].to_numpy() > 0
    share = f"{has_text.mean():.1%} of the images have a text"
    about |= {"texts": int(has_text.sum()), "note": f"{share}; {about['note']}"}
    print(f"mmhs ocr: {share}")
    present = present_of(samples, "ocr", settings)
    write_vectors(paths.features("mmhs"), "ocr", with_mark(vectors, has_text, present), about)
    write_present(paths.features("mmhs"), "ocr", present)
    save_fitted("mmhs", "ocr", fitted_words(about["fitted"]))


def with_mark(
    vectors: NDArray[np.float32], has_text: NDArray[np.bool_], present: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Append 1 to the vectors [N, D] where there is a text [N], else 0; also 0 where the modality is absent [N]."""
    return np.column_stack([vectors, (has_text & present).astype(np.float32)])


if __name__ == "__main__":
    run(ocr)
