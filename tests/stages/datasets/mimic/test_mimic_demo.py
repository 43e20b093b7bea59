"""The real MIMIC-IV demo (100 patients, neither vitals nor notes): from raw files to a report."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from i2moe.data import FeatureSet
from stages.compare import compare
from stages.datasets.mimic.code.features import code
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.features import lab
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.source import open_source
from stages.evaluate import evaluate
from stages.explain.__main__ import explain
from stages.inputs.__main__ import inputs
from stages.reference import reference
from stages.report.page import report
from stages.settings.__main__ import settings as write_settings
from stages.shared.base import paths
from stages.train import train
from tests.stages.datasets.mimic.conftest import ROOT

DEMO = ROOT.parent / "shared" / "data" / "mimic-iv-demo"
SMALL = {"hidden_dim": 8, "encoder_dim": 16, "num_patches": 2, "epochs": 2}

pytestmark = pytest.mark.skipif(not DEMO.exists(), reason=f"needs the real MIMIC-IV demo at {DEMO}")


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """Return a function that stands in an empty folder with the settings for the demo, changed."""
    monkeypatch.chdir(tmp_path)

    def write(**cohort_settings):
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load((ROOT / "params.yaml").read_text())
        params["run"] |= {"datasets": ["mimic"], "models": ["i2moe-mult"], "seeds": [0]}
        mimic = params["data"]["mimic"] | {"raw": str(DEMO), "modalities": ["lab", "code"]}
        mimic["lab"] |= {"vitals": False}
        mimic["code"] |= {"min_patients": 3}
        mimic["cohort"] |= cohort_settings
        params["data"]["mimic"] = mimic
        params["models"]["mimic"] = {"defaults": params["models"]["mimic"]["defaults"] | SMALL}
        yaml.dump(params, Path("params.yaml"))

    return write


def test_the_tables_have_the_counts_that_were_published():
    with open_source(str(DEMO), "1GB") as source:

        def count(what, table):
            return source.query(f"SELECT {what} FROM {source.scan(table)}", table).fetchone()  # noqa: S608

        assert count("count(*), count(dod)", "patients") == (100, 31)
        assert count("count(*), count(DISTINCT hadm_id)", "admissions") == (275, 275)
        assert count("count(*), count_if(icd_version = 9)", "diagnoses_icd") == (4506, 2193)
        assert count("count(*)", "labevents") == (107727,)
    assert len(pd.read_csv(DEMO / "icu/icustays.csv.gz")) == 140


def test_without_filters_31_of_100_patients_die_within_a_year_of_their_last_discharge(demo):
    demo(min_admissions=1, drop_death_at_discharge=False, icd_versions=[9, 10])
    measurements()
    cohort()
    about = json.loads(paths.cohort("mimic").with_suffix(".json").read_text())
    assert about["flow"][0]["admissions_left"] == 275
    assert about["samples"] == 100
    assert sum(split["classes"]["died"] for split in about["splits"].values()) == 31


def test_the_papers_way_of_counting_admissions_keeps_those_whose_second_one_is_later(demo):
    demo(count_admissions="all")
    measurements()
    cohort()
    assert json.loads(paths.cohort("mimic").with_suffix(".json").read_text())["samples"] == 38


def test_the_default_filters_lead_from_raw_files_to_a_report(demo):
    demo()
    for stage in (measurements, cohort, lab, code):
        stage()
    features = FeatureSet(paths.features("mimic"), paths.cohort("mimic"))
    assert len(features) == 25
    flow = json.loads(paths.cohort("mimic").with_suffix(".json").read_text())["flow"]
    # Counted with pandas on the same tables: 52 patients have one admission, 10 admissions end in death or have the
    # patient's date of death, 10 patients have no ICD-9 admission left, of 13 the last one left is their first.
    assert [(step["patients_removed"], step["patients_left"]) for step in flow[:5]] == [
        (0, 100),
        (0, 100),
        (52, 48),
        (0, 48),
        (10, 38),
    ]
    assert features.shapes["lab"] == (8, 96)  # 32 labs, mean, last and indicator
    real = np.arange(8) < features.lengths["lab"][:, None]
    train_visits = features.arrays["lab"][features.rows("train")][real[features.rows("train")]]
    assert train_visits[:, :64].mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert (features.arrays["code"][~real] == 0).all()
    reference("mimic")
    write_settings()
    train("mimic", "i2moe-mult")
    evaluate("mimic", "i2moe-mult")
    explain("mimic", "i2moe-mult")
    compare("mimic")
    inputs("mimic")
    report()
    metrics = json.loads(paths.metrics("mimic", "i2moe-mult").read_text())
    assert {"accuracy", "auroc"} <= set(metrics)
    page = (paths.REPORTS / "index.html").read_text()
    (row,) = re.findall(r"<tr><th[^>]*>patient with fewer than 2 admissions</th>(.*)</tr>", page)
    assert re.findall(r">(\d+)</td>", row) == ["52", "52", "48", "223"]
    assert not [sample for sample in features.sample_ids if sample in page]


def test_the_demos_lab_values_are_those_that_pandas_finds(demo):
    demo()
    measurements()
    found = pd.read_parquet(paths.interim("mimic") / "measurements.parquet").set_index(["hadm_id", "feature"])
    labs_table = pd.read_csv(DEMO / "hosp/labevents.csv.gz", parse_dates=["charttime"], low_memory=False)
    own = labs_table[(labs_table["itemid"] == 50912) & labs_table["valuenum"].notna()]
    stays = pd.read_csv(DEMO / "hosp/admissions.csv.gz", parse_dates=["admittime", "dischtime"])
    for stay in stays.sort_values("hadm_id").head(60).to_dict("records"):
        inside = own["charttime"].between(stay["admittime"], stay["dischtime"]) & own["hadm_id"].isna()
        values = own[(own["hadm_id"] == stay["hadm_id"]) | (inside & (own["subject_id"] == stay["subject_id"]))]
        if len(values):
            row = found.loc[(stay["hadm_id"], "creatinine")]
            latest = values[values["charttime"] == values["charttime"].max()]
            assert row["mean"] == pytest.approx(values["valuenum"].mean())
            assert row["last"] == latest["valuenum"].max()
