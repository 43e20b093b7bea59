"""The synthetic MIMIC-IV: reproducible, with the real one's quirks, and with the label it was planted with."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from i2moe.contract.cohort import read_cohort
from i2moe.selection import auroc
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.synthetic.synthesize import synthesize, write_tables
from stages.shared.base import paths
from tests.stages.datasets.mimic.conftest import TABLES


def read(raw, name, **options):
    return pd.read_csv(raw / f"{name}.csv.gz", **options)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, synthetic_raw):
    write_tables(tmp_path / "same", 400, seed=1)
    write_tables(tmp_path / "other", 400, seed=2)
    for name in TABLES:
        path = f"{name}.csv.gz"
        assert (tmp_path / "same" / path).read_bytes() == (synthetic_raw / path).read_bytes()
        if "/d_" not in name:
            assert (tmp_path / "other" / path).read_bytes() != (synthetic_raw / path).read_bytes()


def test_more_patients_leave_the_first_blocks_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.datasets.mimic.synthetic.synthesize.BLOCK", 20)
    write_tables(tmp_path / "few", 20, seed=0)
    write_tables(tmp_path / "many", 40, seed=0)
    for name in TABLES:
        few, many = (gzip.decompress((tmp_path / one / f"{name}.csv.gz").read_bytes()) for one in ("few", "many"))
        assert many.startswith(few)


def test_ids_are_unique(synthetic_raw):
    keys = {
        "hosp/patients": ["subject_id"],
        "hosp/admissions": ["hadm_id"],
        "hosp/labevents": ["labevent_id"],
        "hosp/diagnoses_icd": ["hadm_id", "seq_num"],
        "icu/icustays": ["stay_id"],
        "note/discharge": ["note_id"],
    }
    for name, columns in keys.items():
        assert not read(synthetic_raw, name).duplicated(columns).any()


def test_the_tables_have_the_quirks_of_real_ones(synthetic_raw):
    patients, admissions, labs = (
        read(synthetic_raw, f"hosp/{name}") for name in ("patients", "admissions", "labevents")
    )
    assert 0.05 < patients["dod"].notna().mean() < 0.6
    stays = admissions.groupby("subject_id").size()
    assert (stays == 1).any()
    assert (stays > 2).any()
    died = admissions["hospital_expire_flag"] == 1
    assert died.any()
    assert (admissions["deathtime"].notna() == died).all()
    assert set(read(synthetic_raw, "hosp/diagnoses_icd")["icd_version"]) == {9, 10}
    assert 0.2 < labs["hadm_id"].isna().mean() < 0.4
    without_number = labs["valuenum"].isna()
    assert set(labs.loc[without_number, "value"].dropna()) == {"ERROR"}
    assert labs.loc[without_number, "value"].isna().any()
    assert (labs["valuenum"] > 1e6).any()
    assert {223761, 223762} <= set(read(synthetic_raw, "icu/chartevents")["itemid"])
    notes = read(synthetic_raw, "note/discharge")
    assert notes["text"].str.contains("___").all()
    assert notes["text"].str.contains("\n").all()
    assert notes["text"].str.contains('"').all()
    complete = admissions["hadm_id"].isin(notes["hadm_id"])
    assert complete.mean() == pytest.approx(0.85, abs=0.06)


def test_nothing_happens_after_a_death(synthetic_raw):
    patients, admissions = (read(synthetic_raw, f"hosp/{name}") for name in ("patients", "admissions"))
    both = admissions.merge(patients[["subject_id", "dod"]].dropna(), on="subject_id")
    assert (pd.to_datetime(both["dischtime"]).dt.normalize() <= pd.to_datetime(both["dod"])).all()


def test_the_cohort_finds_the_planted_label_of_every_patient(synthetic_project):
    _, raw = synthetic_project
    measurements()
    cohort()
    table = read_cohort(paths.cohort("mimic"))
    planted = read(raw, "planted", index_col="subject_id").loc[table["sample_id"].astype(int)]
    assert len(table) > 200
    assert ((table["label"] == "died").to_numpy() == (planted["dies"] == 1).to_numpy()).all()
    # The rule's own probability separates them: what a model can reach at best.
    logits = np.stack([np.zeros(len(planted)), np.log(planted["probability"] / (1 - planted["probability"]))], axis=1)
    assert auroc(planted["dies"].to_numpy(), logits) > 0.85
    truth = json.loads((raw / "planted.json").read_text())
    assert truth["synthetic"] is True
    terms = truth["intercept"] + sum(weight * planted[name] for name, weight in truth["weights"].items())
    assert np.allclose(1 / (1 + np.exp(-terms)), planted["probability"])


def test_by_default_no_sample_is_in_for_what_comes_after_its_index_admission(synthetic_project):
    folder, raw = synthetic_project
    measurements()
    times = read(raw, "hosp/admissions", usecols=["subject_id", "hadm_id", "admittime"])

    def labels():
        cohort()
        return read_cohort(paths.cohort("mimic")).set_index("sample_id")["label"]

    by_default = labels()
    index = pd.read_csv(paths.visits("mimic")).groupby("sample_id")["hadm_id"].last()
    last = times.set_index("hadm_id")["admittime"][index].set_axis(index.index)
    until_index = times[times["admittime"] <= times["subject_id"].map(last)].groupby("subject_id").size()
    assert (until_index >= 2).all()
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("up_to_index", "all"))
    of_all = labels()
    assert of_all[by_default.index].equals(by_default)
    later = of_all.drop(by_default.index)
    assert (later == "died").mean() > 0.5  # of most of them the admission that keeps them is the one in which they die


def test_the_stage_replaces_what_an_earlier_run_left(project):
    folder = project(dict.fromkeys(TABLES))
    text = (folder / "params.yaml").read_text()
    assert "patients: 1800" in text
    (folder / "params.yaml").write_text(text.replace("patients: 1800", "patients: 5"))
    (folder / "data/synthetic/mimic/hosp").mkdir(parents=True)
    (folder / "data/synthetic/mimic/hosp/old.csv").touch()
    synthesize()
    assert not (folder / "data/synthetic/mimic/hosp/old.csv").exists()
    assert len(read(folder / "data/synthetic/mimic", "hosp/patients")) == 5
    assert not (folder / "data/synthetic/mimic.partial").exists()
