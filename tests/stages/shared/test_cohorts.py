"""A cohort's CSV and JSON against ones written by hand, and what is refused before anything is written."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.contract.descriptions import CohortDescription
from i2moe.contract.planted import PlantedTerm
from stages.shared.cohort.cohorts import Cohort, write_cohort
from stages.shared.cohort.shares import SplitParams

SHARES = SplitParams(train=0.6, validation=0.2, test=0.2, seed=0)
GROUPED = SplitParams(train=0.5, validation=0.3, test=0.2, seed=0)
GROUPS = ["a"] * 5 + ["b"] * 3 + ["c"] * 2  # with GROUPED: a trains, b validates, c tests


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cohorts" / "tiny.csv"


def make_cohort(task, classes, labels, groups=None, **more):
    ids = np.array([f"s{row:02d}" for row in range(len(labels))])
    return Cohort(
        dataset="tiny",
        task=task,
        classes=classes,
        modalities=["blood", "scan"],
        licence="open",
        sample_ids=ids,
        groups=None if groups is None else np.array(groups),
        labels=np.array(labels),
        **({"num_raw": len(labels), "raw": "own.csv"} | more),
    )


def test_a_binary_cohort_is_written_with_class_names_and_counts(path, capsys):
    cohort = make_cohort("binary", ["no", "yes"], [0, 1] * 10, num_raw=23, filters={"label missing": 3})
    write_cohort(path, cohort, SHARES)
    table = pd.read_csv(path)
    assert table.columns.tolist() == ["sample_id", "group_id", "split", "label"]
    assert table["sample_id"].tolist() == table["group_id"].tolist() == [f"s{row:02d}" for row in range(20)]
    assert table["label"].tolist() == ["no", "yes"] * 10
    assert table["split"].value_counts().to_dict() == {"train": 12, "validation": 4, "test": 4}
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "dataset": "tiny",
        "task": "binary",
        "classes": ["no", "yes"],
        "modalities": ["blood", "scan"],
        "licence": "open",
        "samples_in_raw_data": 23,
        "removed": {"label missing": 3},
        "flow": [],
        "samples": 20,
        "split": "by shares",
        "groups": 20,
        "splits": {
            "train": {"samples": 12, "classes": {"no": 6, "yes": 6}},
            "validation": {"samples": 4, "classes": {"no": 2, "yes": 2}},
            "test": {"samples": 4, "classes": {"no": 2, "yes": 2}},
        },
    }
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 23 samples in the raw data",
        "  - 3 label missing",
        "  = 20 samples: train 12, validation 4, test 4",
    ]


def test_a_multilabel_cohort_has_a_column_a_label(path):
    labels = [[1, 0], [1, 1], [0, 0], [0, 1], [1, 0], [1, 0], [0, 1], [0, 0], [1, 1], [0, 1]]
    write_cohort(path, make_cohort("multilabel", ["flu", "cold"], labels, GROUPS), GROUPED)
    assert path.read_text().splitlines() == [
        "sample_id,group_id,split,label_flu,label_cold",
        "s00,a,train,1,0",
        "s01,a,train,1,1",
        "s02,a,train,0,0",
        "s03,a,train,0,1",
        "s04,a,train,1,0",
        "s05,b,validation,1,0",
        "s06,b,validation,0,1",
        "s07,b,validation,0,0",
        "s08,c,test,1,1",
        "s09,c,test,0,1",
    ]
    description = json.loads(path.with_suffix(".json").read_text())
    assert description["groups"] == 3
    assert description["splits"] == {
        "train": {"samples": 5, "classes": {"flu": 3, "cold": 2}},
        "validation": {"samples": 3, "classes": {"flu": 1, "cold": 1}},
        "test": {"samples": 2, "classes": {"flu": 1, "cold": 2}},
    }


def test_a_regression_cohort_has_numbers_with_mean_and_deviation(path):
    labels = [1.0, 1.0, 2.0, 3.0, 3.0, 4.5, 4.5, 4.5, -1.0, 1.0]
    write_cohort(path, make_cohort("regression", [], labels, GROUPS), GROUPED)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["sample_id,group_id,split,label", "s00,a,train,1.0"]
    assert lines[6] == "s05,b,validation,4.5"
    description = json.loads(path.with_suffix(".json").read_text())
    assert description["classes"] == []
    train, validation, test = (description["splits"][split] for split in ("train", "validation", "test"))
    assert train == {"samples": 5, "mean_label": 2.0, "std_label": pytest.approx(0.8**0.5)}  # (1 + 1 + 0 + 1 + 1) / 5
    assert validation == {"samples": 3, "mean_label": 4.5, "std_label": 0.0}
    assert test == {"samples": 2, "mean_label": 0.0, "std_label": 1.0}


REFUSED = {
    "a class of two samples": (
        make_cohort("binary", ["no", "yes"], [0] * 10 + [1] * 2),
        "tiny: class 'yes' has 2 samples, too few for train, validation and test",
    ),
    "a class without samples": (
        make_cohort("multiclass", ["low", "middle", "high"], [0, 2] * 10),
        "tiny: class 'middle' has 0 samples",
    ),
    "a class within one group": (
        make_cohort("binary", ["no", "yes"], [1] * 5 + [0] * 15, ["a"] * 5 + [f"g{row}" for row in range(15)]),
        r"tiny: class 'yes' is absent from the (validation|test) split: change split.seed",
    ),
    "one group": (
        make_cohort("binary", ["no", "yes"], [0, 1] * 5, ["a"] * 10),
        "tiny: the validation split is empty",
    ),
    "two groups": (
        make_cohort("regression", [], np.arange(10.0), ["a"] * 6 + ["b"] * 4),
        "tiny: the (validation|test) split is empty",
    ),
    "fewer test samples than classes": (
        make_cohort("multiclass", list("abcdefghij"), list(range(10)) * 3),
        "tiny: ",
    ),
    "two samples": (make_cohort("regression", [], [1.0, 2.0]), "tiny: "),
}


@pytest.mark.parametrize(("cohort", "message"), REFUSED.values(), ids=REFUSED)
def test_a_cohort_that_cannot_be_split_is_refused_and_nothing_is_written(path, cohort, message):
    with pytest.raises(InputError, match=message):
        write_cohort(path, cohort, SHARES)
    assert not Path(path.parent).exists()


OFFICIAL = np.array(["train"] * 6 + ["validation"] * 2 + ["test"] * 2)


def test_official_splits_are_kept_and_said(path):
    write_cohort(path, make_cohort("binary", ["no", "yes"], [0, 1] * 5, splits=OFFICIAL), SHARES)
    assert pd.read_csv(path)["split"].tolist() == OFFICIAL.tolist()
    assert json.loads(path.with_suffix(".json").read_text())["split"] == "official"


def test_a_class_may_lack_in_official_validation_but_not_in_train(path, capsys):
    write_cohort(path, make_cohort("binary", ["no", "yes"], [0, 1, 0, 1, 0, 1, 0, 0, 1, 0], splits=OFFICIAL), SHARES)
    assert "tiny: class 'yes' is absent from the official validation split" in capsys.readouterr().out
    lacking = make_cohort("binary", ["no", "yes"], [0] * 6 + [1] * 4, splits=OFFICIAL)
    with pytest.raises(InputError, match=r"tiny: class 'yes' is absent from the train split: split by shares, bring"):
        write_cohort(path, lacking, SHARES)
    with pytest.raises(InputError, match=r"tiny: the test split is empty"):
        write_cohort(path, make_cohort("binary", ["no", "yes"], [0, 1] * 4, splits=OFFICIAL[:8]), SHARES)


def test_a_label_that_train_never_shows_is_refused(path):
    labels = [[1, 0]] * 6 + [[1, 1]] * 4
    with pytest.raises(InputError, match=r"tiny: class 'cold' is absent from the train split"):
        write_cohort(path, make_cohort("multilabel", ["flu", "cold"], labels, splits=OFFICIAL), SHARES)


def test_a_multilabel_cohort_without_groups_is_stratified_by_all_its_labels(path):
    generator = np.random.default_rng(0)
    labels = (generator.random((200, 2)) < (0.5, 0.1)).astype(int)
    write_cohort(path, make_cohort("multilabel", ["flu", "cold"], labels.tolist()), SHARES)
    counts = json.loads(path.with_suffix(".json").read_text())["splits"]
    assert [counts[split]["samples"] for split in ("train", "validation", "test")] == [120, 40, 40]
    for index, name in enumerate(("flu", "cold")):
        for split, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
            assert abs(counts[split]["classes"][name] - share * labels[:, index].sum()) <= 1


PLANTED = {
    "synthetic": True,
    "rule": "y = a",
    "terms": [{"role": "uniqueness", "modalities": ["blood"], "words": "a bit that only blood shows"}],
    "noise": 0.5,
}


def raw_folder(tmp_path, planted):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "planted.json").write_text(planted if isinstance(planted, str) else json.dumps(planted))
    (folder / "own.csv").write_text("")
    return folder


def test_what_is_planted_in_the_raw_folder_travels_with_the_cohort(path, tmp_path):
    write_cohort(
        path, make_cohort("binary", ["no", "yes"], [0, 1] * 10, raw=str(raw_folder(tmp_path, PLANTED))), SHARES
    )
    assert json.loads(path.with_suffix(".json").read_text())["planted"] == PLANTED
    planted = CohortDescription.read(path.with_suffix(".json")).planted
    assert planted.terms == [PlantedTerm(role="uniqueness", modalities=["blood"], words="a bit that only blood shows")]


def test_nothing_is_planted_in_data_that_are_one_file_whatever_lies_next_to_it(path, tmp_path):
    raw = raw_folder(tmp_path, PLANTED) / "own.csv"
    write_cohort(path, make_cohort("binary", ["no", "yes"], [0, 1] * 10, raw=str(raw)), SHARES)
    assert CohortDescription.read(path.with_suffix(".json")).planted is None


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ("{", "planted.json breaks the data contract"),
        ({"a garden": "beans"}, "key 'synthetic': Field required"),
        (PLANTED | {"synthetic": False}, "key 'synthetic': Input should be True"),
        (PLANTED | {"terms": [{"role": "uniqueness", "modalities": ["a", "b"], "words": ""}]}, "uniqueness of 2 modal"),
        (PLANTED | {"terms": [{"role": "synergy", "modalities": ["a"], "words": ""}]}, "synergy of 1 modalities"),
        (PLANTED | {"terms": [{"role": "synergy", "modalities": ["a", "a"], "words": ""}]}, "names 'a' twice"),
        (PLANTED | {"terms": [{"role": "luck", "modalities": ["a"], "words": ""}]}, "key 'terms.0.role'"),
    ],
    ids=["not JSON", "about something else", "not synthetic", "two for one", "one for two", "twice", "unknown role"],
)
def test_a_broken_planted_json_is_refused_and_nothing_is_written(path, tmp_path, planted, message):
    cohort = make_cohort("binary", ["no", "yes"], [0, 1] * 10, raw=str(raw_folder(tmp_path, planted)))
    with pytest.raises(InputError, match=message):
        write_cohort(path, cohort, SHARES)
    assert not path.parent.exists()
