"""What is planted in the synthetic MIMIC-IV is found in its features, whether incomplete patients are kept or not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from i2moe.data import FeatureSet
from stages.datasets.mimic.code.features import code
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.features import lab
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.note.features import note
from stages.shared.base import paths
from tests.stages.datasets.mimic.conftest import DEFAULT_CODE, DEFAULT_COHORT, DEFAULT_NOTE, TABLES

SHOWN_BY = {
    "lab": ["lab"],
    "shared": ["lab", "note", "code"],
    "lab_bit": ["lab"],
    "code_bit": ["code"],
    "exclusive_or": [],
}


@pytest.mark.parametrize("incomplete", ["drop", "keep"])
def test_a_linear_model_finds_each_term_where_it_is_planted_and_nowhere_else(project, synthetic_raw, incomplete):
    own = {"cohort": DEFAULT_COHORT, "code": DEFAULT_CODE, "note": DEFAULT_NOTE, "incomplete": incomplete}
    project(dict.fromkeys(TABLES), raw=str(synthetic_raw), **own)
    for stage in (measurements, cohort, lab, note, code):
        stage()
    found = FeatureSet(paths.features("mimic"), paths.cohort("mimic"))
    assert bool(found.present) == (incomplete == "keep")
    planted = pd.read_csv(synthetic_raw / "planted.csv.gz", index_col="subject_id").loc[map(int, found.sample_ids)]
    for position, name in enumerate(found.modalities):
        means = np.asarray(found.arrays[name], float).sum(axis=1) / found.lengths[name][:, None]
        has = np.flatnonzero(found.presence[:, position])
        fitted, others = has[::2], has[1::2]
        for term, modalities in SHOWN_BY.items():
            target = planted[term].to_numpy()
            predicted = Ridge(30).fit(means[fitted], target[fitted]).predict(means[others])
            correlation = np.corrcoef(predicted, target[others])[0, 1]
            assert (correlation > 0.7) if name in modalities else (abs(correlation) < 0.35), (term, name, correlation)
