"""Draw data whose labels follow from a known interaction: the truth that readings of a model are checked against.

Inputs have the same law, and for one seed the same values, whatever the label (except in `copies`, `switch` with an
uneven mix, `hdxor`, and what tokens.py draws): a modality shows fair bits as -1 and 1, turned by a random orthonormal
map into WIDTH columns with normal noise. Two bits are its own; three are shared by all modalities, and of three
modalities each pair shares two more. A label is made of the bits of its terms:

- uniqueness: a bit that one modality alone shows,
- redundancy: a bit that several show,
- synergy: the exclusive or of bits that one modality each shows, so that no smaller set of them says anything.

Shares of terms are those of the label's partial information (BROJA: Bertschinger et al. 2014), exact where the bits are
seen without noise.

Shapes: N samples, F columns of a modality, C classes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MODALITIES = ("first", "second", "third")
WIDTH = 16
BITS, BITS_OF_ALL = 2, 3  # shown by one modality or a pair; shared by all
NOISE = 0.5  # standard deviation
EVEN = (0.25, 0.25, 0.25, 0.25)


class Term(NamedTuple):
    """A cause of the label: what kind of interaction, and between which modalities."""

    role: Literal["uniqueness", "synergy", "redundancy"]
    modalities: tuple[str, ...]

    @property
    def expert(self) -> str:
        """The interaction expert that is named after the role."""
        return f"uniqueness_{self.modalities[0]}" if self.role == "uniqueness" else self.role


class Pair(NamedTuple):
    """Two columns that a part of the label follows from."""

    role: Literal["synergy", "redundancy"]
    columns: tuple[tuple[str, int], tuple[str, int]]  # modality and place of each


@dataclass(frozen=True)
class Drawn:
    """N samples and what their labels follow from."""

    inputs: dict[str, NDArray[np.float32]]  # by modality, [N, F]
    labels: Ints  # [N]
    num_classes: int
    shares: dict[Term, float]  # of the label's information; NaN where a term is planted but its share not known
    bayes: float | None = None  # accuracy of the best possible model, where it has a closed form
    of_sample: NDArray[np.str_] | None = None  # [N], of switch data the expert named after each sample's term
    pairs: tuple[Pair, ...] = ()  # of `tokens`, what is planted in columns


def terms(num_modalities: int = 2) -> list[Term]:
    """Return every term: uniqueness of each modality, then synergy and redundancy of each set of two or more.

    Examples:
        >>> [term.expert for term in terms(2)]
        ['uniqueness_first', 'uniqueness_second', 'synergy', 'redundancy']
        >>> len(terms(3))
        11
    """
    alone, *larger = _subsets(num_modalities)
    several = list(chain.from_iterable(larger))
    return [
        *(Term("uniqueness", own) for own in alone),
        *(Term("synergy", own) for own in several),
        *(Term("redundancy", own) for own in several),
    ]


def composite(parts: Sequence[Term], num: int, seed: int, *, num_modalities: int = 2, noise: float = NOISE) -> Drawn:
    """Draw labels of one bit per part, each from its own term; the parts' information adds up.

    Args:
        parts: one or two terms, which may be the same.
        num: N.
        seed: of everything.
        num_modalities: 2 or 3.
        noise: standard deviation.
    """
    bits = _bits(num, num_modalities, seed)
    labels = sum(label_bit(term, bits, place) << place for place, term in enumerate(parts))
    shares = {term: parts.count(term) / len(parts) for term in parts}
    bayes = math.prod(bayes_accuracy(term, noise) for term in parts)
    return Drawn(_inputs(_shown(bits), seed, noise), np.asarray(labels), 2 ** len(parts), shares, bayes)


def pure(
    term: Term, num: int, seed: int, *, num_classes: int = 2, num_modalities: int = 2, noise: float = NOISE
) -> Drawn:
    """Draw labels of 2 or 4 classes that follow from one term; other arguments as in `composite`."""
    parts = [term] * int(math.log2(num_classes))
    return composite(parts, num, seed, num_modalities=num_modalities, noise=noise)


def none(num: int, seed: int, *, num_classes: int = 2, num_modalities: int = 2, noise: float = NOISE) -> Drawn:
    """Draw labels that follow from nothing."""
    labels = np.random.default_rng([seed, 3]).integers(num_classes, size=num)
    return Drawn(_inputs(_shown(_bits(num, num_modalities, seed)), seed, noise), labels, num_classes, {})


def switch(num: int, seed: int, *, mix: Sequence[float] = EVEN, noise: float = NOISE) -> Drawn:
    """Draw labels of two classes whose term, one of the four, changes from sample to sample.

    Which term holds is told by two bits that both modalities show. The truth is one of samples: the label's partial
    information over all of them is half redundancy and half synergy, whatever the mix of terms.

    Args:
        num: N.
        seed: of everything.
        mix: probability of each of the four terms.
        noise: standard deviation.
    """
    bits = _bits(num, 2, seed)
    modes = bits[MODALITIES[:2]][:, 1:] @ np.array([2, 1])
    if tuple(mix) != EVEN:
        modes = np.random.default_rng([seed, 3]).choice(len(mix), p=mix, size=num)
        bits[MODALITIES[:2]][:, 1:] = np.stack([modes // 2, modes % 2], axis=1)
    labels = np.choose(modes, [label_bit(term, bits, 0) for term in terms()])
    of_sample = np.array([term.expert for term in terms()])[modes]
    shares = dict.fromkeys(terms(), math.nan)
    return Drawn(_inputs(_shown(bits), seed, noise), labels, 2, shares, of_sample=of_sample)


def logical(rule: Literal["and", "or"], num: int, seed: int, *, noise: float = NOISE) -> Drawn:
    """Draw labels that are the AND or the OR of one bit of each modality: half a bit of synergy, .311 of redundancy."""
    bits = _bits(num, 2, seed)
    first, second = (bits[(name,)][:, 0] for name in MODALITIES[:2])
    labels = first & second if rule == "and" else first | second
    redundancy, synergy = _entropy(0.25) - 0.5, 0.5
    both = MODALITIES[:2]
    shares = {Term("synergy", both): synergy, Term("redundancy", both): redundancy}
    return Drawn(_inputs(_shown(bits), seed, noise), labels, 2, _normalised(shares))


def copies(agreements: tuple[float, float], num: int, seed: int, *, noise: float = NOISE) -> Drawn:
    """Draw labels of two classes of which each modality shows a copy that is right with some probability.

    (1, .8) is a partial copy: all that the second modality knows, the first knows too. (.9, .9) are noisy copies: each
    corrects some errors of the other, which is synergy.

    Args:
        agreements: probability that the copy is right, by modality.
        num: N.
        seed: of everything.
        noise: standard deviation.
    """
    bits = _bits(num, 2, seed)
    shown = _shown(bits)
    labels = bits[MODALITIES[:2]][:, 0]
    generator = np.random.default_rng([seed, 3])
    for name, agreement in zip(MODALITIES, agreements, strict=False):
        shown[name][:, -BITS_OF_ALL] = labels ^ (generator.random(num) >= agreement)
    return Drawn(_inputs(shown, seed, noise), labels, 2, _shares_of_copies(*agreements))


HDXOR_WIDTHS = {"first": 200, "second": 100}


def hdxor(term: Term, num: int, seed: int) -> Drawn:
    """Draw HD-XOR (InterSHAP: Wenderoth et al. 2025), written anew from its description: labels are always an XOR.

    For uniqueness and redundancy both bits of the XOR are inside a modality; for synergy each modality has one.
    """
    maps, latent, shared = (np.random.default_rng([seed, stream]) for stream in range(3))
    bits = np.random.default_rng([seed, 3]).integers(2, size=(num, 2))
    signs, half = 2 * bits - 1, 100
    shift = {"uniqueness": 0.35, "synergy": 0.35, "redundancy": 0.25}[term.role]
    both = shift * np.repeat(signs, half, axis=1)
    copy = both + shared.normal(size=both.shape)
    inputs = {}
    for place, (name, width) in enumerate(HDXOR_WIDTHS.items()):
        own = latent.normal(size=both.shape)
        if term.role == "synergy":
            own = shift * signs[:, [place]] + 2 * own
        elif term.role == "redundancy":
            own = copy
        elif name in term.modalities:
            own = both + own
        turned = own @ maps.uniform(-0.5, 0.5, size=(2 * half, width))
        inputs[name] = (turned / math.sqrt(2 * half / 12)).astype(
            np.float32
        )  # a column's deviation is near that of own
    return Drawn(inputs, bits[:, 0] ^ bits[:, 1], 2, {term: 1.0})


Bits = dict[tuple[str, ...], Ints]  # by the modalities that show them, [N, bits]


def label_bit(term: Term, bits: Mapping[tuple[str, ...], Ints], place: int) -> Ints:
    """Return the bit [N] that a term gives a label, from the bits at one place of each kind."""
    if term.role != "synergy":
        return bits[term.modalities][:, place]
    return np.asarray(np.bitwise_xor.reduce([bits[(name,)][:, place] for name in term.modalities]))


def _subsets(num_modalities: int) -> list[list[tuple[str, ...]]]:
    """Return the subsets of the modalities, by size from 1."""
    names = MODALITIES[:num_modalities]
    return [list(combinations(names, size)) for size in range(1, num_modalities + 1)]


def _bits(num: int, num_modalities: int, seed: int) -> Bits:
    generator = np.random.default_rng([seed, 0])
    subsets = list(chain.from_iterable(_subsets(num_modalities)))
    return {own: generator.integers(2, size=(num, BITS_OF_ALL if own == subsets[-1] else BITS)) for own in subsets}


def _shown(bits: Bits) -> dict[str, Ints]:
    """Return what each modality shows: its own bits first, those of all modalities last."""
    names = [own[0] for own in bits if len(own) == 1]
    return {name: np.concatenate([own for where, own in bits.items() if name in where], axis=1) for name in names}


def _inputs(shown: dict[str, Ints], seed: int, noise: float) -> dict[str, NDArray[np.float32]]:
    maps, noises = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    inputs = {}
    for name, bits in shown.items():
        turn = np.linalg.qr(maps.normal(size=(WIDTH, bits.shape[1]))).Q.T
        values = (2 * bits - 1) @ turn + noise * noises.normal(size=(len(bits), WIDTH))
        inputs[name] = values.astype(np.float32)
    return inputs


def bayes_accuracy(term: Term, noise: float) -> float:
    """Return the probability that the bit of a term is decided right by the best possible model."""
    seen_by = len(term.modalities)
    if term.role == "synergy":
        return (1 + (2 * _normal_cdf(1 / noise) - 1) ** seen_by) / 2
    return _normal_cdf(math.sqrt(seen_by) / noise)


def _normal_cdf(value: float) -> float:
    return (1 + math.erf(value / math.sqrt(2))) / 2


def _entropy(*probabilities: float) -> float:
    """Return the entropy in bits of a variable; the last probability is what the others leave."""
    every = [*probabilities, 1 - sum(probabilities)]
    return -sum(p * math.log2(p) for p in every if p > 0)


def _shares_of_copies(first: float, second: float) -> dict[Term, float]:
    """Return the shares for two copies of a fair bit: the worse is a degraded better one, so that it knows no more."""
    alone = {"first": 1 - _entropy(first), "second": 1 - _entropy(second)}
    known = 2 - _entropy(first) - _entropy(second)
    agree = first * second + (1 - first) * (1 - second)
    together = known - (1 - _entropy(agree))  # I(Y; A, B) = I(Y; A) + I(Y; B) - I(A; B)
    common = min(alone.values())
    both = MODALITIES[:2]
    shares = {Term("uniqueness", (name,)): own - common for name, own in alone.items()}
    shares |= {Term("synergy", both): together - max(alone.values()), Term("redundancy", both): common}
    return _normalised(shares)


def _normalised(shares: dict[Term, float]) -> dict[Term, float]:
    """Return shares that sum to 1, without those of nothing."""
    total = sum(shares.values())
    return {term: share / total for term, share in shares.items() if share / total > 1e-9}  # noqa: PLR2004
