"""The data contract: what a FeatureSet returns, and every way in which it refuses bad files."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from i2moe.base.errors import InputError
from i2moe.contract.masks import pack_mask
from i2moe.data import EpochShuffle, FeatureSet


def test_a_batch_holds_modalities_in_order_as_float32_with_labels_and_rows(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    features = FeatureSet(folder, cohort)
    batch = features.__getitems__([3, 0])
    assert list(batch.inputs) == ["first", "second"]
    assert batch.inputs["first"].dtype == torch.float32
    assert batch.inputs["first"].numpy() == pytest.approx(np.load(folder / "first.npy")[[3, 0]])
    assert batch.rows.tolist() == [3, 0]
    names = pd.read_csv(cohort)["label"]
    assert [features.classes[label] for label in batch.labels] == [names[3], names[0]]


def test_features_stay_memory_mapped(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())
    assert all(isinstance(array, np.memmap) for array in features.arrays.values())


def test_splits_share_out_all_rows(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())
    rows = np.concatenate([features.rows(split) for split in ("train", "validation", "test")])
    assert sorted(rows) == list(range(60))


def test_a_loader_gives_every_row_once_in_an_order_of_seed_and_epoch(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())

    def rows(seed, epoch):
        loader = features.loader("train", 8, shuffle_seed=seed)
        loader.batch_sampler.sampler.set_epoch(epoch)
        return torch.cat([batch.rows for batch in loader]).tolist()

    assert sorted(rows(0, 0)) == features.rows("train").tolist()
    assert rows(0, 0) == rows(0, 0)
    assert rows(0, 0) != rows(0, 1)
    assert rows(0, 0) != rows(1, 0)
    assert len(EpochShuffle(5, 0)) == 5


@pytest.mark.parametrize(("task", "outputs"), [("multiclass", 3), ("binary", 2), ("multilabel", 2), ("regression", 1)])
def test_every_task_has_its_labels_and_outputs(synthetic_dataset, task, outputs):
    features = FeatureSet(*synthetic_dataset(task))
    assert features.num_outputs == outputs
    assert features.labels.shape == ((60, 2) if task == "multilabel" else (60,))
    assert features.labels.dtype == (np.int64 if task in ("multiclass", "binary") else np.float32)


def test_padded_sequences_come_with_their_lengths(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    np.save(folder / "first.npy", np.zeros((60, 7, 2), np.float16))
    np.save(folder / "first.lengths.npy", np.full(60, 3))
    (folder / "first.json").write_text(json.dumps({"kind": "sequence", "shape": [7, 2]}))
    batch = FeatureSet(folder, cohort)[0]
    assert batch.inputs["first"].shape == (1, 7, 2)
    assert batch.lengths["first"].tolist() == [3]
    np.save(folder / "first.lengths.npy", np.full(60, 8))
    with pytest.raises(InputError, match=r"first.lengths.npy: lengths must lie between 1 and 7"):
        FeatureSet(folder, cohort)


MASK = np.zeros((2, 3, 2), bool)
MASK[0, 1, 1] = MASK[1, 2, 0] = MASK[1, 2, 1] = True


def write_volumes(folder, **about):
    """Write the first modality as volumes with three voxels inside a mask; return the voxels."""
    voxels = np.arange(180).reshape(60, 3).astype(np.float16)
    np.save(folder / "first.npy", voxels)
    description = {"kind": "volume", "shape": [2, 3, 2], "mask": pack_mask(MASK)} | about
    (folder / "first.json").write_text(json.dumps({key: value for key, value in description.items() if value}))
    return voxels


def test_the_voxels_of_a_volume_stand_in_their_places_and_elsewhere_is_nothing(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    voxels = write_volumes(folder)
    features = FeatureSet(folder, cohort)
    assert isinstance(features.arrays["first"], np.memmap)
    assert features.shapes["first"] == (2, 3, 2)
    volumes = features.__getitems__([7, 2]).inputs["first"].numpy()
    assert volumes.dtype == np.float32
    assert (volumes[:, MASK] == voxels[[7, 2]]).all()
    assert (volumes[:, ~MASK] == 0).all()


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"mask": None}, r"first.json breaks the data contract: .*mask of a volume is missing or does not fit"),
        ({"shape": [2, 3, 3]}, r"first.json breaks the data contract: .*mask of a volume is missing or does not fit"),
        (
            {"mask": pack_mask(~MASK)},
            r"first.npy has samples of shape \(3,\), its mask states \(9,\): rerun the feature",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(synthetic_dataset, about, message):
    folder, cohort = synthetic_dataset()
    write_volumes(folder, **about)
    with pytest.raises(InputError, match=message):
        FeatureSet(folder, cohort)


def spoil_array(change):
    def spoil(folder, cohort):  # noqa: ARG001
        array = change(np.load(folder / "second.npy").copy())
        np.save(folder / "second.npy", array)

    return spoil


def spoil_cohort(change):
    def spoil(folder, cohort):  # noqa: ARG001
        table = pd.read_csv(cohort, dtype=str)
        change(table).to_csv(cohort, index=False)

    return spoil


def with_value(row, value):
    def change(array):
        array[row, 1] = value
        return array

    return change


def setting(column, row, value):
    def change(table):
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_array(with_value(17, np.nan)), r"second.npy row 17 holds NaN or infinity: impute or drop it"),
        (spoil_array(with_value(4, np.inf)), r"second.npy row 4 holds NaN or infinity"),
        (spoil_array(lambda array: array[:-1]), r"second.npy has 59 rows, the cohort 60: rerun the feature stage"),
        (
            spoil_array(lambda array: array.astype(np.float64)),
            r"has dtype float64, allowed are float32, float16, uint8",
        ),
        (spoil_array(lambda array: array[:, :3]), r"samples of shape \(3,\), its JSON states \(5,\)"),
        (spoil_array(np.asfortranarray), r"second.npy is not C-contiguous"),
        (lambda folder, _: (folder / "second.npy").unlink(), r"second.npy is missing: run the feature stage"),
        (lambda folder, _: (folder / "second.json").unlink(), r"second.json is missing"),
        (lambda folder, _: (folder / "second.npy").write_bytes(b"no array"), r"second.npy is not a readable NPY array"),
        (
            spoil_array(lambda array: array.astype(">f4")),
            r"second.npy holds >f4, numbers in another byte order than this machine's: run the feature stage",
        ),
        (
            lambda _, cohort: cohort.write_bytes(cohort.read_bytes() + b'"'),
            r"synthetic.csv cannot be read as CSV \(ParserError\): run the dataset's cohort stage",
        ),
        (
            lambda _, cohort: cohort.write_bytes(
                cohort.read_bytes().replace(b"\n", b",1\n").replace(b"label,1", b"label")
            ),
            r"synthetic.csv cannot be read as CSV \(ParserWarning\)",
        ),
        (lambda _, cohort: cohort.unlink(), r"synthetic.csv is missing: run the dataset's cohort stage"),
        (spoil_cohort(lambda table: table.drop(columns="split")), r"has no column 'split'"),
        (spoil_cohort(lambda table: table.drop(columns="label")), r"has no column 'label'"),
        (spoil_cohort(setting("sample_id", 1, "s000")), r"row 3: its sample_id is in an earlier row too"),
        (spoil_cohort(lambda table: table.iloc[::-1]), r"is not sorted by sample_id"),
        (spoil_cohort(setting("split", 2, "dev")), r"row 4: its split is not one of train, validation, test"),
        (spoil_cohort(setting("label", 5, "z")), r"row 7: its label is not in \['a', 'b', 'c'\]"),
        (spoil_cohort(lambda table: table.assign(split="train")), r"the validation split is empty"),
        (
            spoil_cohort(lambda table: table.assign(label=table["label"].where(table["split"] != "train", "a"))),
            r"class 'b' is absent from the train split",
        ),
    ],
)
def test_bad_files_end_in_one_clear_error(synthetic_dataset, spoil, message):
    folder, cohort = synthetic_dataset()
    spoil(folder, cohort)
    with pytest.raises(InputError, match=message):
        FeatureSet(folder, cohort)


def test_an_object_array_is_refused_and_never_unpickled(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    np.save(folder / "second.npy", np.array([{"a": 1}] * 60, dtype=object))
    with pytest.raises(InputError, match=r"second.npy is not a readable NPY array"):
        FeatureSet(folder, cohort)


def with_copies(folder, features, name, num):
    """Give a modality copies that tell which they are: 1000 · row + number of the copy."""
    rows = features.rows("train")
    copies = np.empty((len(rows), num, 5), np.float16)
    copies[:] = 1000 + 10 * np.arange(len(rows))[:, None, None] + np.arange(1, num + 1)[None, :, None]
    np.save(folder / f"{name}.copies.npy", copies)
    (folder / f"{name}.json").write_text(json.dumps({"kind": "vector", "shape": [5], "copies": num}))


def one_epoch(features, split="train", epoch=0, seed=0):
    loader = features.loader(split, 8, shuffle_seed=seed)
    loader.batch_sampler.sampler.set_epoch(epoch)
    batches = list(loader)
    rows = torch.cat([batch.rows for batch in batches]).numpy()
    return rows, {name: torch.cat([batch.inputs[name] for batch in batches]).numpy() for name in features.modalities}


def test_a_shuffled_pass_over_train_takes_each_sample_or_one_of_its_copies_alike_in_all_modalities(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    plain = FeatureSet(folder, cohort)
    for name in ("first", "second"):
        with_copies(folder, plain, name, 2)
    features = FeatureSet(folder, cohort)
    assert features.num_copies == 2
    rows, inputs = one_epoch(features)
    assert sorted(rows) == features.rows("train").tolist()
    position = np.searchsorted(features.rows("train"), rows)
    variant = np.where(inputs["first"][:, 0] < 500, 0, inputs["first"][:, 0] - 1000 - 10 * position).astype(int)
    assert set(variant) == {0, 1, 2}
    for name in ("first", "second"):
        own = variant > 0
        assert inputs[name][own, 0].tolist() == (1000 + 10 * position + variant)[own].tolist()
        assert inputs[name][~own] == pytest.approx(plain.arrays[name][rows[~own]], abs=1e-3)
    again, _ = one_epoch(features)
    assert again.tolist() == rows.tolist()
    assert one_epoch(features)[1]["first"].tolist() == inputs["first"].tolist()
    assert one_epoch(features, epoch=1)[1]["first"].tolist() != inputs["first"].tolist()


def test_copies_are_not_seen_outside_of_shuffled_passes_over_train(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    with_copies(folder, FeatureSet(folder, cohort), "first", 2)
    features = FeatureSet(folder, cohort)
    assert max(batch.inputs["first"].max() for batch in features.loader("train", 8)) < 500
    for split in ("validation", "test"):
        assert one_epoch(features, split)[1]["first"].max() < 500


def test_without_copies_the_order_is_what_it_was(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())
    expected = np.random.default_rng([3, 2]).permutation(len(features.rows("train")))
    assert one_epoch(features, epoch=2, seed=3)[0].tolist() == features.rows("train")[expected].tolist()


def test_copies_that_do_not_fit_are_refused(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    plain = FeatureSet(folder, cohort)
    with_copies(folder, plain, "first", 2)
    with_copies(folder, plain, "second", 3)
    with pytest.raises(InputError, match=r"different numbers of copies, \{'first': 2, 'second': 3\}: rerun"):
        FeatureSet(folder, cohort)
    with_copies(folder, plain, "second", 2)
    copies = np.load(folder / "second.copies.npy")
    np.save(folder / "second.copies.npy", copies[1:])
    with pytest.raises(InputError, match=r"second.copies.npy holds float16 of shape \(41, 2, 5\), .* \(42, 2, 5\)"):
        FeatureSet(folder, cohort)
    copies[5, 1, 2] = np.nan
    np.save(folder / "second.copies.npy", copies)
    with pytest.raises(InputError, match=r"second.copies.npy row 5 holds NaN or infinity"):
        FeatureSet(folder, cohort)
    (folder / "second.copies.npy").unlink()
    with pytest.raises(InputError, match=r"second.copies.npy is missing"):
        FeatureSet(folder, cohort)


def test_notes_of_the_feature_files_are_kept_by_modality(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    (folder / "first.json").write_text(json.dumps({"kind": "vector", "shape": [5], "note": "untrained"}))
    assert FeatureSet(folder, cohort).notes == {"first": "untrained"}
