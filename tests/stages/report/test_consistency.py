"""Tables of explanations that do not belong together: the first that is wrong is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.report.consistency import check_explained
from stages.report.own_figures import agreement_share
from stages.shared.base import paths
from stages.shared.explanations import write

FOLDER, EXPERTS, SEEDS = Path("own"), ["a", "synergy"], [0, 1]


def tables():
    """Return what belongs together: two experts, two seeds."""
    both = pd.DataFrame({"expert": EXPERTS * 2, "seed": [0, 0, 1, 1], "outcome": "knows something"})
    pairs = pd.DataFrame({"expert": ["a", "a", "synergy", "synergy"], "other": EXPERTS * 2, "seed": 0})
    return {
        "experts": pd.DataFrame({"expert": EXPERTS, "chance_seeds": 0}),
        "expert_seeds": both,
        "gate": pd.DataFrame({"winner": [""]}),
        "agreement": pd.DataFrame({"by": ["sample", "label"], "agree_wrong": [0.25, 0.5]}),
        "behaviour": both,
        "example": pd.DataFrame({"expert": EXPERTS, "class": "no", "predicted": "no"}),
        "similarity": pairs,
        "shares": pd.DataFrame({"reading": "weight", "seed": 0, "term": EXPERTS}),
        "local": pd.DataFrame({"kind": ["share", "without"]}),
        "token_scores": pd.DataFrame(
            {"sample_id": "p", "seed": 0, "expert": "mixture", "score": 0.5}
            | {"method": ["integrated gradients", "gradient rollout"]}
        ),
        "parts": None,
    }


def test_tables_that_belong_together_pass():
    check_explained(FOLDER, tables(), EXPERTS)
    check_explained(FOLDER, {"experts": None, "local": tables()["local"]}, [])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("gate", lambda table: table[:0], r"own/gate.parquet has no row: rerun the explain stage"),
        ("gate", lambda _: None, r"own/gate.parquet is missing: rerun the explain stage"),
        (
            "example",
            lambda table: table.assign(predicted="yes"),
            r"own/example.parquet lacks an expert's logit of what is",
        ),
        ("shares", lambda table: table.assign(seed=[0, 1]), r"own/shares.parquet lacks a term in some seed: rerun the"),
        (
            "shares",
            lambda table: table.assign(term="a"),
            r"own/shares.parquet has two rows of the same reading, seed, t",
        ),
        (
            "experts",
            lambda table: table[::-1],
            r"own/experts.parquet has the experts in another order than predictions",
        ),
        (
            "experts",
            lambda table: table[:1],
            r"own/experts.parquet does not name the experts that predicted, and no oth",
        ),
        ("behaviour", lambda table: table.replace("a", "b"), r"own/behaviour.parquet does not name the experts that"),
        (
            "similarity",
            lambda table: table.assign(other="a", seed=[0, 1, 0, 1]),
            r"own/similarity.parquet does not comp",
        ),
        ("agreement", lambda table: table[1:], r"own/agreement.parquet has no row of samples: rerun the explain stage"),
        (
            "agreement",
            lambda table: table.replace("label", "x"),
            r"own/agreement.parquet column 'by' holds other than l",
        ),
        (
            "local",
            lambda table: table.assign(kind="x"),
            r"own/local.parquet column 'kind' holds other than share, witho",
        ),
        (
            "experts",
            lambda table: table.assign(chance_seeds=1),
            r"own/experts.parquet and expert_seeds.parquet differ in how many seeds an expert is at chance: rerun",
        ),
        (
            "token_scores",
            lambda table: table[:1],
            r"own/token_scores.parquet has no scores by integrated gradients or gradient",
        ),
        (
            "token_scores",
            lambda table: table[::-1].assign(sample_id=["p", "q"]),
            r"own/token_scores.parquet has no scores by integrated gradients or gradient",
        ),
        (
            "token_scores",
            lambda table: table.assign(score=np.nan),
            r"own/token_scores.parquet column 'score' holds NaN",
        ),
    ],
)
def test_tables_that_do_not(name, change, message):
    own = tables()
    with pytest.raises(InputError, match=message):
        check_explained(FOLDER, own | {name: change(own[name])}, EXPERTS)


def test_the_paper_tables_agreement_is_that_of_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tables()["agreement"]
    write(paths.explanations("own", "mult"), {"agreement": own})
    assert agreement_share("own", "mult", "agree_wrong").value == 25
    write(paths.explanations("own", "mult"), {"agreement": own[1:]})
    with pytest.raises(InputError, match=r"agreement.parquet has no row of samples: rerun the explain stage"):
        agreement_share("own", "mult", "agree_wrong")
