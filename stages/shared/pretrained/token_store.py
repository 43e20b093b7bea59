"""Tokens' states of single texts, each text through its encoder once: a kill or another split costs little.

Texts are known by what the encoder reads of them, so that a text of several samples, or one that another limit on its
length does not cut, is not computed again.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.images.images import Store, opened_store
from stages.shared.images.networks import fingerprint
from stages.shared.pretrained.text import CutText, TextEncoder
from stages.shared.steps import Steps

TOKENS_AT_ONCE = 4096  # of a batch, padding counted


def embed(cuts: Sequence[CutText], encoder: TextEncoder) -> Steps:
    """Return the states of texts' tokens without the special ones; only new texts are computed.

    Raises:
        InputError: for an encoder that returns what float16 cannot hold.
    """
    folder = paths.text_features(f"{encoder.model_type}-{fingerprint(encoder.model, encoder.settings)}")
    keys = [hashlib.blake2b(cut.ids.tobytes(), digest_size=16).hexdigest() for cut in cuts]
    lengths = np.array([len(cut.tokens) for cut in cuts], dtype=np.int64)
    with opened_store(folder, encoder.dim, np.float16) as store:
        known = _first_rows(store)
        new = {key: cut for key, cut in zip(keys, cuts, strict=True) if cut.tokens and key not in known}
        if new:
            _compute(new, encoder, store)
            known = _first_rows(store)
    first = np.array([known[key] if length else 0 for key, length in zip(keys, lengths, strict=True)], dtype=np.int64)
    ends = lengths.cumsum()
    rows = np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)
    return Steps(store.array(), rows, lengths)


def _first_rows(store: Store) -> dict[str, int]:
    """Return the first row of each text that is whole: it is named after the text and the number of its rows."""
    found = {}
    for row, name in enumerate(store.keys):
        key, _, length = name.partition(" ")
        last = row + int(length) if length.isdecimal() else row
        if row < last <= len(store.keys) and not any(store.keys[row + 1 : last]):
            found[key] = row
    return found


def _compute(new: dict[str, CutText], encoder: TextEncoder, store: Store) -> None:
    total = sum(len(cut.tokens) for cut in new.values())
    size = total * encoder.dim * 2 / 1e6
    print(f"{encoder.name}: {len(new)} new texts, {total} tokens, {size:.0f} MB under {store.features.parent}")
    bar = tqdm(total=total, desc="texts", unit="token", unit_scale=True, mininterval=1, delay=2, dynamic_ncols=True)
    with bar:
        for batch in _batches(new):
            states = encoder.states([new[key].ids for key in batch])
            own = [found[~new[key].is_special] for key, found in zip(batch, states, strict=True)]
            names = [[f"{key} {len(found)}", *[""] * (len(found) - 1)] for key, found in zip(batch, own, strict=True)]
            rows = _half(np.concatenate(own), encoder)
            store.append(list(itertools.chain(*names)), rows)
            bar.update(len(rows))


def _batches(new: dict[str, CutText]) -> Iterator[list[str]]:
    """Yield the texts' keys, the longest first, as many at a time as make a batch."""
    batch: list[str] = []
    for key in sorted(new, key=lambda key: -len(new[key].ids)):
        if batch and (len(batch) + 1) * len(new[batch[0]].ids) > TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(key)
    yield batch


def _half(states: NDArray[np.float32], encoder: TextEncoder) -> NDArray[np.float16]:
    if not np.abs(states).max() <= np.finfo(np.float16).max:
        raise InputError(f"{encoder.name} returns what float16 cannot hold: are these the right weights?")
    return states.astype(np.float16)
