"""Draw data whose label follows from known pairs of tokens, to check readings of single tokens and pairs against.

A token is a column: each of COLUMNS in a modality shows one fair bit as -1 or 1, with normal noise. At places drawn
from the seed are

- a synergy: a column of each modality; the label has the exclusive or of their bits,
- a redundancy: a column of each modality, both of which show one bit; the label has it,
- a synergy inside `first`: two of its columns; the label has the exclusive or of their bits. It is no pair of two
  modalities, so that whoever looks for those must not find it.

The other columns show bits that the label knows nothing of. The label is the three bits together, eight classes. They
are independent, and no column shows two of them, so the probability of a class is a product of three and the
log-probability a sum: one term for each planted pair. Hence in log-probabilities the three pairs interact and no
other two columns do, in whatever context. (On probabilities, columns of two pairs would interact as well.) By hand,
without noise and in natural logarithms, v being the log-probability of the true class:

- a column of a synergy tells nothing alone: v rises by ln 2 where both are there, and the pair's gain is ln 2 > 0;
- a copy tells the bit alone: v rises by ln 2 with the first and by 0 with the second, and the gain is -ln 2 < 0. The
  log-odds of two classes would rise with either copy alike, and their gain is 0.

A column at its mean, 0, says that both values of its bit are as likely: to the best possible model, to set a column to
its mean is to take it away.
"""

import numpy as np

from stages.datasets.planted.generators import MODALITIES, NOISE, Drawn, Pair, Term, bayes_accuracy

COLUMNS = 8  # of each modality


def tokens(num: int, seed: int, *, noise: float = NOISE) -> Drawn:
    """Draw samples with three planted pairs of columns; the pairs are the synergy, the redundancy, and that inside.

    Args:
        num: N.
        seed: of everything, the places of the pairs included.
        noise: standard deviation.
    """
    first, second = MODALITIES[:2]
    places = np.random.default_rng([seed, 1])
    of_first, of_second = (places.permutation(COLUMNS).tolist() for _ in range(2))
    bits = np.random.default_rng([seed, 0]).integers(2, size=(num, 2, COLUMNS))
    bits[:, 1, of_second[1]] = bits[:, 0, of_first[1]]
    within = sorted(of_first[2:4])
    exclusive = bits[:, 0, of_first[0]] ^ bits[:, 1, of_second[0]]
    inside = bits[:, 0, within[0]] ^ bits[:, 0, within[1]]
    labels = exclusive + 2 * bits[:, 0, of_first[1]] + 4 * inside
    values = 2 * bits - 1 + noise * np.random.default_rng([seed, 2]).normal(size=bits.shape)
    both = (first, second)
    parts = [Term("synergy", both), Term("redundancy", both), Term("uniqueness", (first,))]
    pairs = (
        Pair("synergy", ((first, of_first[0]), (second, of_second[0]))),
        Pair("redundancy", ((first, of_first[1]), (second, of_second[1]))),
        Pair("synergy", ((first, within[0]), (first, within[1]))),
    )
    # The bits are independent, so each is decided for itself; an exclusive or is as hard inside a modality.
    bayes = bayes_accuracy(parts[0], noise) ** 2 * bayes_accuracy(parts[1], noise)
    inputs = {name: values[:, place].astype(np.float32) for place, name in enumerate(both)}
    return Drawn(inputs, labels, 8, dict.fromkeys(parts, 1 / 3), bayes, pairs=pairs)
