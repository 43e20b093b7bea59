"""New samples without labels, and samples that lack a modality: what of both is checked, and what a batch holds."""

import numpy as np
import pytest
import torch
from small_training import config

from i2moe.base.errors import InputError
from i2moe.checkpoints import save
from i2moe.data import FeatureSet, SampleSet
from i2moe.inference import load, predict, predict_samples
from i2moe.signature import Signature
from i2moe.training import Hardware, fit

CONFIG = config(encoder_dim=8, learning_rate=1e-3, epochs=1)


def leave_out(folder, name, rows):
    array, present = np.load(folder / f"{name}.npy"), np.ones(60, bool)
    array[rows], present[rows] = 0, False
    np.save(folder / f"{name}.npy", array)
    np.save(folder / f"{name}.present.npy", present)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_the_samples_of_a_split_without_labels_are_predicted_as_with_them(synthetic_dataset, tmp_path, task):
    folder, cohort = synthetic_dataset(task)
    features = FeatureSet(folder, cohort)
    save(fit(features, CONFIG, 0, folder=tmp_path / "run", hardware=Hardware("cpu")), tmp_path / "0.ckpt")
    wanted = predict(load(features, CONFIG, tmp_path / "0.ckpt", torch.device("cpu")), features, "test")
    rows = features.rows("test")
    new = tmp_path / "new"
    new.mkdir()
    for name in features.modalities:
        np.save(new / f"{name}.npy", np.load(folder / f"{name}.npy")[rows])
        (new / f"{name}.json").write_bytes((folder / f"{name}.json").read_bytes())
    (tmp_path / "signature.json").write_text(features.signature.to_json())
    signature = Signature.read(tmp_path / "signature.json")
    assert signature == features.signature
    model = load(signature, CONFIG, tmp_path / "0.ckpt", torch.device("cpu"))
    samples = SampleSet(new, signature.modalities, [features.sample_ids[row] for row in rows])
    found = predict_samples(model, samples, signature)
    np.testing.assert_array_equal(found.logits, wanted.logits)
    np.testing.assert_array_equal(found.weights, wanted.weights)
    assert torch.isnan(next(iter(samples.batches(4))).labels).all()


def test_samples_of_another_shape_are_refused(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    features = FeatureSet(folder, cohort)
    other = features.signature.model_copy(
        update={
            "inputs": features.signature.inputs
            | {"second": features.signature.inputs["second"].model_copy(update={"shape": [4]})}
        }
    )
    samples = SampleSet(folder, features.modalities, features.sample_ids)
    with pytest.raises(InputError, match=r"modality 'second': .* kind vector and shape \(5,\), the model takes vector"):
        predict_samples(torch.nn.Identity(), samples, other)
    with pytest.raises(InputError, match=r"the samples have modalities \['first'\], the model \['first', 'second'\]"):
        predict_samples(torch.nn.Identity(), SampleSet(folder, ["first"], features.sample_ids), features.signature)


def test_presence_is_read_and_goes_into_batches_and_signature(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    leave_out(folder, "second", [0, 3])
    features = FeatureSet(folder, cohort)
    assert features.presence.shape == (60, 2)
    assert features.presence[:4].tolist() == [[True, False], [True, True], [True, True], [True, False]]
    batch = features.__getitems__([3, 1])
    assert list(batch.present) == ["second"]
    assert batch.present["second"].tolist() == [False, True]
    assert features.signature.may_be_absent == ["second"]


def test_where_all_is_present_no_modality_may_be_absent(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    leave_out(folder, "second", [])
    features = FeatureSet(folder, cohort)
    assert features.present == {}
    assert features.__getitems__([0]).present == {}
    assert features.signature.may_be_absent == []


def test_a_broken_presence_is_refused(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    np.save(folder / "first.present.npy", np.ones(59, bool))
    with pytest.raises(InputError, match=r"first\.present\.npy holds bool of shape \(59,\), expected bool"):
        FeatureSet(folder, cohort)
    present = np.ones(60, bool)
    present[7] = False
    np.save(folder / "first.present.npy", present)
    with pytest.raises(InputError, match=r"first\.present\.npy: row 7 is absent, but its features are not 0"):
        FeatureSet(folder, cohort)
    leave_out(folder, "first", [7])
    leave_out(folder, "second", [7])
    with pytest.raises(InputError, match="the sample in row 7 has no modality"):
        FeatureSet(folder, cohort)
