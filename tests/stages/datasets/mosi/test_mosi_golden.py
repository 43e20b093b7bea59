"""Hand-written utterances (synthetic): cohort and every value of every array, worked out here."""

import json
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest

from i2moe.contract.cohort import read_cohort
from i2moe.data import FeatureSet
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.shared.base import paths
from tests.stages.datasets.mosi.conftest import IDS, MODALITIES, folds, write_hdf5, write_npz, write_pickle


def run():
    cohort()
    for modality in MODALITIES:
        sequence(modality)
    return FeatureSet(paths.features("mosi"), paths.cohort("mosi"))


def outputs():
    """Return every file that the stages wrote, without the name of what they read."""
    written = sorted([*paths.cohort("mosi").parent.iterdir(), *paths.features("mosi").iterdir()])
    return {path.name: path.read_bytes().replace(b"raw/mosi_data.pkl", b"RAW") for path in written}


def scaled(rows, mean, std):
    """Return rows of steps, standardised where they are real and 0 where None."""
    return np.array([[0 if step is None else (step - mean) / std for step in row] for row in rows])


def check(features, modality, index, rows, mean, std):
    array = features.arrays[modality]
    assert array.dtype == np.float32
    assert np.asarray(array)[..., index] == pytest.approx(scaled(rows, mean, std), abs=1e-6)
    fitted = features.descriptions[modality].model_dump()["fitted"]
    assert fitted["means"][index] == pytest.approx(mean)
    assert fitted["deviations"][index] == pytest.approx(std)


def test_the_cohort_has_the_utterances_with_text_in_the_files_folds(project):
    project()
    features = run()
    table = read_cohort(paths.cohort("mosi"))
    assert table["sample_id"].tolist() == IDS
    assert table["group_id"].tolist() == ["a", "a", "c", "d", "e"]
    assert table["split"].tolist() == ["train", "train", "validation", "test", "test"]
    assert features.task == "regression"
    assert features.num_outputs == 1
    assert features.modalities == list(MODALITIES)
    assert features.labels.tolist() == pytest.approx([-2.2, 0, 3, -3, 0.6])
    about = json.loads(paths.cohort("mosi").with_suffix(".json").read_text())
    assert about["samples_in_raw_data"] == 6
    assert about["removed"] == {"without text": 1}
    assert about["flow"] == [{"filter": "without text", "utterances_removed": 1, "utterances_left": 5}]
    assert (about["split"], about["licence"]) == ("official", "restricted")


def test_real_steps_go_from_the_first_with_text_to_the_last_with_anything(project):
    project()
    features = run()
    for modality in MODALITIES:
        assert features.lengths[modality].tolist() == [2, 4, 2, 1, 2]


def test_infinity_and_nan_become_zero_before_scaling(project):
    project()
    features = run()
    none = [None] * 4
    # Train steps of vision 0: 1 3 2 0 4 0, sum 10, squares 30; of audio: 1 0 1 3 5 0, sum 10, squares 36.
    vision = [[1, 3, None, None], [2, 0, 4, 0], [7, 0, None, None], [1, *none[:3]], [2, 3, None, None]]
    check(features, "vision", 0, vision, 10 / 6, (30 / 6 - (10 / 6) ** 2) ** 0.5)
    # Constant in train: shifted, not scaled.
    constant = [[5, 5, None, None], [5] * 4, [6, 5, None, None], [7, *none[:3]], [5, 5, None, None]]
    check(features, "vision", 1, constant, 5, 1)
    audio = [[1, 0, None, None], [1, 3, 5, 0], [0, 2, None, None], [6, *none[:3]], [2, 0, None, None]]
    check(features, "audio", 0, audio, 10 / 6, (36 / 6 - (10 / 6) ** 2) ** 0.5)
    # Train steps of text 0: 1 2 3 0 1 1, sum 8, squares 16; of text 1: 1 1 1 0 -1 1, sum 3, squares 5.
    text = [[1, 2, None, None], [3, 0, 1, 1], [1, 0, None, None], [2, *none[:3]], [1, 0, None, None]]
    check(features, "text", 0, text, 8 / 6, (16 / 6 - (8 / 6) ** 2) ** 0.5)
    text = [[1, 1, None, None], [1, 0, -1, 1], [0, 1, None, None], [2, *none[:3]], [0, 0, None, None]]
    check(features, "text", 1, text, 3 / 6, (5 / 6 - (3 / 6) ** 2) ** 0.5)
    counts = {name: features.descriptions[name].model_dump()["non_finite_values"] for name in MODALITIES}
    assert counts["vision"] == {"infinite": 1, "nan": 2, "become": "zero"}
    assert counts["audio"] == {"infinite": 3, "nan": 0, "become": "zero"}
    assert counts["text"] == {"infinite": 0, "nan": 0, "become": "zero"}


def test_infinity_and_nan_become_the_median_of_trains_finite_values(project):
    project(non_finite="median")
    features = run()
    none = [None] * 4
    # Median of 1 3 2 4 is 2.5: 1 3 2 2.5 4 2.5, sum 15, squares 42.5. Of 1 1 3 5 it is 2: 1 2 1 3 5 2, 14, 44.
    vision = [[1, 3, None, None], [2, 2.5, 4, 2.5], [7, 2.5, None, None], [1, *none[:3]], [2, 3, None, None]]
    check(features, "vision", 0, vision, 15 / 6, (42.5 / 6 - (15 / 6) ** 2) ** 0.5)
    audio = [[1, 2, None, None], [1, 3, 5, 2], [2, 2, None, None], [6, *none[:3]], [2, 0, None, None]]
    check(features, "audio", 0, audio, 14 / 6, (44 / 6 - (14 / 6) ** 2) ** 0.5)
    assert features.descriptions["vision"].model_dump()["fitted"]["medians"] == [2.5, 5]
    assert features.descriptions["vision"].model_dump()["non_finite_values"]["become"] == "median"


def test_a_feature_without_any_finite_train_value_becomes_zero_under_either_rule(project):
    content = folds()
    content["train"]["audio"][:] = -np.inf
    for rule in ("zero", "median"):
        project(content, non_finite=rule)
        features = run()
        # Constant, so only shifted, by 0.
        assert np.asarray(features.arrays["audio"])[..., 0].tolist() == [
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [0, 2, 0, 0],
            [6, 0, 0, 0],
            [2, 0, 0, 0],
        ]


def test_a_number_beyond_float32_counts_as_infinite(project):
    project()
    run()
    expected = outputs()
    content = folds()
    for fold in content.values():
        fold["audio"][np.isinf(fold["audio"])] = np.finfo(np.float64).min  # as numpy.nan_to_num leaves -inf
    project(content)
    run()
    assert outputs() == expected


@pytest.mark.parametrize(("name", "write"), [("own.npz", write_npz), ("own.hdf5", write_hdf5), ("own.h5", write_hdf5)])
def test_all_formats_give_the_same_files(project, name, write):
    project()
    run()
    expected = outputs()
    project(name=name, write=write)
    run()
    own = {path: content.replace(f"raw/{name}".encode(), b"RAW") for path, content in outputs().items()}
    assert own == expected


def test_ids_of_variable_length_in_hdf5(project):
    project()
    run()
    expected = outputs()

    def write(path, content):
        write_hdf5(path, content)
        with h5py.File(path, "a") as file:
            for fold, own in content.items():
                del file[f"{fold}/id"]
                file[fold].create_dataset("id", data=as_text(own["id"]).astype(object), dtype=h5py.string_dtype())

    project(name="own.h5", write=write)
    run()
    assert {name: own.replace(b"raw/own.h5", b"RAW") for name, own in outputs().items()} == expected


def as_text(values):
    return np.array([[part.decode() for part in row] for row in values])


VARIANTS = {
    "ids as text": lambda fold: fold | {"id": as_text(fold["id"])},
    "ids as text objects": lambda fold: fold | {"id": as_text(fold["id"]).astype(object)},
    "ids as bytes": lambda fold: fold | {"id": fold["id"].astype("S")},
    "ids as NumPy's bytes in objects": lambda fold: fold | {"id": fold["id"].astype("S").astype(object)},
    "labels as a vector": lambda fold: fold | {"labels": fold["labels"][:, 0, 0]},
    "labels as a column": lambda fold: fold | {"labels": fold["labels"][:, 0]},
    "float32": lambda fold: fold | {name: fold[name].astype(np.float32) for name in MODALITIES},
    "big-endian": lambda fold: fold | {name: fold[name].astype(">f8") for name in MODALITIES},
    "Fortran order": lambda fold: fold | {name: np.asfortranarray(fold[name]) for name in MODALITIES},
    "another key": lambda fold: fold | {"note": "of no use here"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_ways_to_store_the_same_give_the_same_files(project, variant):
    project()
    run()
    expected = outputs()
    project({name: VARIANTS[variant](fold) for name, fold in folds().items()})
    run()
    assert outputs() == expected


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_give_the_same_files(project, protocol):
    project()
    run()
    expected = outputs()
    project(write=lambda path, content: write_pickle(path, content, protocol))
    run()
    assert outputs() == expected


def test_the_order_of_utterances_in_the_file_changes_nothing(project):
    project()
    run()
    expected = outputs()
    project({name: {key: values[::-1].copy() for key, values in fold.items()} for name, fold in folds().items()})
    run()
    assert outputs() == expected


def test_an_empty_fold_is_allowed_where_the_folds_do_not_count(synthetic_project):
    path = synthetic_project / "copy/mosi_data.pkl"
    content = pickle.loads(path.read_bytes())  # noqa: S301 (written by the test)
    for key in content["train"]:
        content["train"][key] = np.concatenate([content["train"][key], content["valid"][key]])
        content["valid"][key] = content["valid"][key][:0]
    for protocol in (2, 4, 5):
        write_pickle(path, content, protocol)
        cohort()
    assert set(read_cohort(paths.cohort("mosi"))["split"]) == {"train", "validation", "test"}


def test_shares_keep_videos_whole(synthetic_project):
    cohort()
    table = read_cohort(paths.cohort("mosi"))
    assert len(table[["group_id", "split"]].drop_duplicates()) == table["group_id"].nunique()
    shares = table["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.7, abs=0.05)
    assert shares["test"] == pytest.approx(0.15, abs=0.05)
    planted = pd.read_csv(synthetic_project / "copy/planted.csv", index_col="sample_id").loc[table["sample_id"]]
    assert (planted["fold"].to_numpy() != table["split"].replace("validation", "valid").to_numpy()).any()


def test_a_video_in_two_official_folds_is_said(project, capsys):
    content = folds()
    content["test"]["id"][0, 0] = b"c"
    content["test"]["id"][0, 1] = b"4.0"
    project(content)
    cohort()
    assert "raw/mosi_data.pkl: videos with utterances in more than one fold: 1" in capsys.readouterr().out


def test_the_file_may_be_named_by_its_folder(project):
    project()
    run()
    named_by_file = outputs()
    project(raw="raw")
    run()
    as_folder = {name: content.replace(b'"source": "raw"', b'"source": "RAW"') for name, content in outputs().items()}
    assert as_folder == named_by_file
