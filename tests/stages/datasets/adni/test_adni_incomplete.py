"""Subjects of ADNI that lack a modality, kept: who stays, when they are looked at, who lacks what, what is fitted."""

import json

import numpy as np
import pandas as pd
import pytest

from i2moe.data import FeatureSet
from stages.datasets.adni.cohort import cohort
from stages.shared.base import paths
from tests.stages.datasets.adni.conftest import ELECSYS, IDS, PTDEMOG, SPLITS, VITALS
from tests.stages.datasets.adni.test_adni_golden import STAGES, column, scaled

# Of 13, who has no scan: two visits, and who has no date of birth.
VITALS_OF_13 = """004_S_0013,13,bl,2006-01-10,60,2,160,2,130,80,60,12,36,2
004_S_0013,13,m12,2007-01-10,60,2,160,2,120,80,60,12,36,2
"""
PTDEMOG_OF_13 = "1,004_S_0013,13,sc,2006-01-01,1,1936,1,1,14,1,2,5,-4,a\n"


def read_flow():
    return json.loads(paths.cohort("adni").with_suffix(".json").read_text())


def run(splits):
    """Run all stages with these splits, by PTID; return the dataset."""
    cohort()
    table = pd.read_csv(paths.cohort("adni"), dtype=str)
    table["split"] = [splits.get(name, "test") for name in table["sample_id"]]
    table.to_csv(paths.cohort("adni"), index=False)
    for stage in STAGES:
        stage()
    return FeatureSet(paths.features("adni"), paths.cohort("adni"))


OF_NINE = dict(zip(IDS, SPLITS, strict=True))


def test_subjects_with_any_modality_stay_and_are_counted_by_what_they_have(project):
    project(incomplete="keep")
    found = run(OF_NINE)
    assert found.sample_ids == [*IDS, "004_S_0014", "004_S_0015"]
    assert found.presence[:9].all()
    assert found.presence[9:].tolist() == [[True, False, False, False], [True, True, True, False]]
    about = read_flow()
    assert list(about["flow"][-1].values()) == ["without any modality", 1, 11]  # 13
    assert about["presence"] == {
        "image + genetic + clinical + biospecimen": 9,
        "image": 1,
        "image + genetic + clinical": 1,
    }
    for name in found.modalities:
        absent = ~found.presence[:, found.modalities.index(name)]
        assert not np.asarray(found.arrays[name])[absent].any()


def test_kept_subjects_outside_of_train_change_nothing_for_the_others(project):
    project()
    dropped = {name: np.array(array) for name, array in run(OF_NINE).arrays.items()}
    project(incomplete="keep")
    kept = run(OF_NINE)
    for name, array in dropped.items():
        assert np.asarray(kept.arrays[name])[:9].tobytes() == array.tobytes()


def test_what_is_fitted_is_fitted_on_train_subjects_that_have_it(project):
    project(incomplete="keep")
    # 14, whose map is 1 everywhere, is train too, but has no genotypes, tables and biospecimens.
    found = run(OF_NINE | {"004_S_0014": "train"})
    values = np.array([1, 2, 3, 4, 3, 3, 3, 3, 3, 4, 1, 4, 1, 1, 1, 1])
    about = {name: found.descriptions[name].model_dump() for name in found.modalities}
    assert about["image"]["fitted"]["mean"] == pytest.approx(values.mean())
    assert about["image"]["fitted"]["std"] == pytest.approx(values.std())
    assert [about[name]["fitted"]["samples"] for name in found.modalities] == [4, 3, 3, 3]
    assert column(found, "clinical", "PTDEMOG.PTEDUCAT")[:9] == scaled([12, 20, 16, 16, 16, 16, 20, 12, 14], 12, 20)
    assert about["clinical"]["share_of_subjects_missing"]["PTDEMOG.PTEDUCAT"] == 0.1  # 10, of the ten who have tables


@pytest.mark.parametrize(
    ("scan", "date", "pressure", "age"), [("latest", "2007-01-10", 120, 71), ("first", "2006-01-01", 130, 70)]
)
def test_who_has_no_scan_is_looked_at_when_the_tables_say(project, scan, date, pressure, age):
    folder = project(incomplete="keep", cohort={"scan": scan, "max_days_after_scan": 90})
    (folder / "raw/VITALS_09May2024.csv").write_text(VITALS + VITALS_OF_13)
    (folder / "raw/PTDEMOG_09May2024.csv").write_text(PTDEMOG + PTDEMOG_OF_13)
    found = run(OF_NINE)
    row = found.sample_ids.index("004_S_0013")
    visits = pd.read_csv(paths.visits("adni"))
    assert visits["date"][row] == date
    assert np.isnan(visits["scan"].astype(object)[row])
    assert found.presence[row].tolist() == [False, False, True, False]
    values = column(found, "clinical", "VITALS.VSBPSYS")
    low, high = (100, 140) if scan == "latest" else (100, 120)  # of 2 the first scan is of the visit with 120
    assert values[row] == pytest.approx(2 * (pressure - low) / (high - low) - 1, abs=1e-6)
    oldest = 71 if scan == "latest" else 70  # 2, of the train subjects with a date of birth; the other is 60
    assert column(found, "clinical", "PTDEMOG.PTDOBYY")[row] == pytest.approx(2 * (age - 60) / (oldest - 60) - 1)


def test_who_has_no_scan_near_the_visit_is_looked_at_on_the_day_of_the_visit(project):
    folder = project(incomplete="keep", cohort={"label": "visit", "visit": "bl", "max_days_from_visit": 30})
    (folder / "raw/VITALS_09May2024.csv").write_text(VITALS + VITALS_OF_13)
    cohort()
    visits = pd.read_csv(paths.visits("adni")).set_index("sample_id")
    assert visits.loc["004_S_0013", "date"] == "2006-01-10"
    assert not visits.loc["004_S_0013", "has_image"]
    assert visits.loc["001_S_0002", "date"] == "2006-01-15"


def test_rows_without_any_value_are_no_modality(project):
    folder = project(incomplete="keep")
    (folder / "raw/UPENNBIOMK_ROCHE_ELECSYS_09May2024.csv").write_text(ELECSYS + "ADNI1,15,bl,2006-01-12,,,,,\n")
    assert not run(OF_NINE).presence[-1, 3]
    project()
    assert "004_S_0015" in run(OF_NINE).sample_ids  # where such rows do for a modality that is imputed


def test_genotypes_with_too_many_missing_calls_are_none(project):
    # Of six variants, rs8 is missing in 2 and 4, rs2 in 11 and 15, rs4 in 10 and 6.
    project(incomplete="keep", cohort={"max_missing_genotypes": 0.1})
    cohort()
    visits = pd.read_csv(paths.visits("adni")).set_index("sample_id")
    has = ["001_S_0003", "002_S_0005", "003_S_0007", "003_S_0012"]
    assert visits.index[visits["has_genetic"]].tolist() == has
    assert len(visits) == 11


def test_a_row_of_freesurfer_without_a_measure_is_no_scan(project):
    folder = project(incomplete="keep", image_source="freesurfer")
    rows = "".join(f"{int(name[-4:])},2006-02-01,{number}\n" for number, name in enumerate(IDS))
    (folder / "raw/UCSFFSX7_09Jun2025.csv").write_text(f"RID,EXAMDATE,ST1SV\n{rows}15,2006-02-01,\n")
    found = run(OF_NINE)
    assert dict(zip(found.sample_ids, found.presence[:, 0].tolist(), strict=True))["004_S_0015"] is False
    assert found.presence[:9, 0].all()
