"""Tweets of MMHS150K: mean word vectors, standardised with the train split."""

from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.table import present_of, read_samples, repeated
from stages.datasets.mmhs.texts import scaled_texts
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted, write_present, write_vectors
from stages.shared.words import fitted_words


def tweet() -> None:
    """Write data/features/mmhs/tweet.npy [N, D] and .json; a tweet without a known word is 0, the mean train tweet."""
    settings = load_block("data.mmhs", Settings)
    samples, rows, is_train = read_samples(settings)
    vectors, about = scaled_texts("tweet", settings, samples, rows, is_train)
    present = present_of(samples, "tweet", settings)
    if again := repeated(samples["same_text"][present], is_train[present], "text"):
        about["note"] += f"; {again}"
        print(f"mmhs tweet: {again}")
    write_vectors(paths.features("mmhs"), "tweet", vectors, about)
    write_present(paths.features("mmhs"), "tweet", present)
    save_fitted("mmhs", "tweet", fitted_words(about["fitted"]))


if __name__ == "__main__":
    run(tweet)
