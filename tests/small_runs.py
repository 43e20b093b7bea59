"""Small synthetic runs on disk, with what is planted in them: what two runs that are compared consist of."""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

NUM = 100  # test samples, half of each class


@dataclass
class Written:
    """What is planted in a run. Its two seeds are alike, so that samples alone make differences uncertain."""

    right: float = 0.9  # of each class, the first samples are predicted right
    synergy: float = 0.75  # weight of the synergy expert in every sample
    role: str = "synergy"
    winner: str = "synergy"
    prefix: str = "s"  # of sample ids
    classes: tuple[str, str] = ("no", "yes")
    dropout: float = 0.5
    models: tuple[str, ...] = ("i2moe",)
    extra: dict = field(default_factory=dict)  # settings


def write_run(root, about):
    """Write the files of a small synthetic run below a folder."""
    ids = [f"{about.prefix}{row:03d}" for row in range(NUM)]
    labels = np.resize([0, 1], NUM)
    names = np.array(about.classes)[labels]
    run = {"run": {"datasets": ["tiny"], "models": list(about.models)}}
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(
        json.dumps(run | {"models": {"defaults": {"dropout": about.dropout}}} | about.extra)
    )
    for folder in ("data/cohorts", "results/cards", "results/predictions/tiny", "results/explanations/tiny/i2moe"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    cohort = pd.DataFrame({"sample_id": ids, "group_id": ids, "split": "test", "label": names})
    cohort.to_csv(root / "data/cohorts/tiny.csv", index=False)
    (root / "results/cards/tiny.json").write_text(json.dumps({"cohort": description(about), "notes": {}}))
    is_right = np.arange(NUM) // 2 < about.right * NUM / 2
    predicted = np.where(is_right, labels, 1 - labels)
    part = cohort.drop(columns="group_id").assign(logit_no=1.0 - predicted, logit_yes=1.0 * predicted)
    part = part.rename(
        columns=dict(zip(["logit_no", "logit_yes"], [f"logit_{name}" for name in about.classes], strict=True))
    )
    part = part.assign(**{"synergy.weight": about.synergy, "redundancy.weight": 1 - about.synergy})
    for expert in ("synergy", "redundancy"):
        for name in about.classes:
            part[f"{expert}.logit_{name}"] = part[f"logit_{name}"]
    table = pd.concat([part.assign(seed=seed) for seed in (0, 1)])
    table.to_parquet(root / "results/predictions/tiny/i2moe.parquet", index=False)
    behaviour = pd.DataFrame({"expert": "synergy", "seed": [0, 1], "role": about.role})
    behaviour.to_parquet(root / "results/explanations/tiny/i2moe/behaviour.parquet", index=False)
    leaders = pd.DataFrame({"reading": ["weight"], "winner": [about.winner]})
    leaders.to_parquet(root / "results/explanations/tiny/i2moe/leaders.parquet", index=False)
    shares = pd.DataFrame({"reading": "weight", "term": ["synergy", "redundancy"], "seed": 0})
    shares["share"] = [about.synergy, 1 - about.synergy]
    shares.assign(low=shares["share"]).to_parquet(root / "results/explanations/tiny/i2moe/shares.parquet", index=False)
    return root


def description(about):
    """Return a cohort's description: of synthetic data with synergy planted."""
    term = {"role": "synergy", "modalities": ["a", "b"], "words": "both"}
    return {
        "dataset": "tiny",
        "task": "binary",
        "classes": list(about.classes),
        "modalities": ["a", "b"],
        "licence": "restricted",
        "samples_in_raw_data": NUM,
        "samples": NUM,
        "groups": NUM,
        "removed": {},
        "flow": [],
        "split": "by shares",
        "splits": {"test": {"samples": NUM}},
        "planted": {"synthetic": True, "rule": "both together", "terms": [term]},
    }
