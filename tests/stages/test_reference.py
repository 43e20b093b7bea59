"""The linear reference's inputs."""

import json

import numpy as np

from i2moe.data import FeatureSet
from stages.reference import vectors


def test_a_sequence_gives_the_mean_of_its_real_steps_and_a_vector_itself(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    sequences = np.arange(60 * 3 * 2, dtype=np.float32).reshape(60, 3, 2)
    lengths = np.resize([1, 3], 60)
    np.save(folder / "first.npy", sequences)
    np.save(folder / "first.lengths.npy", lengths)
    (folder / "first.json").write_text(json.dumps({"kind": "sequence", "shape": [3, 2]}))
    features = FeatureSet(folder, cohort)
    rows = np.array([4, 1])
    assert vectors(features, "first", rows).tolist() == [sequences[4, 0].tolist(), sequences[1].mean(axis=0).tolist()]
    assert vectors(features, "second", rows).tolist() == features.arrays["second"][rows].tolist()
