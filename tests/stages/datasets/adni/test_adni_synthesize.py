"""The synthetic ADNI: reproducible, with the real one's quirks, and with the diagnoses it was planted with."""

import json

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from i2moe.contract.cohort import read_cohort
from stages.datasets.adni.cohort import CLASSES, cohort
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.synthetic.subjects import draw_subjects
from stages.datasets.adni.synthetic.synthesize import synthesize, write_files
from stages.shared.base import paths


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        write_files(tmp_path / name, 12, 120, seed=seed)
    one, same, other = (files(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    for name in ("DXSUM_PDXCONV_22Apr2024.csv", "plink/ADNI_cluster_01_forward.bed", "planted.csv"):
        assert other[name] != one[name]


def test_the_files_have_the_quirks_of_real_ones(synthetic_raw):
    names = [path.name for path in synthetic_raw.iterdir()]
    assert "UCSFFSX7_09May2024.csv" in names
    assert "ADNI_BLENNOWPLASMANFLLONG_10_03_18_09May2024.csv" in names
    vitals = pd.read_csv(synthetic_raw / "VITALS_09May2024.csv")
    assert (vitals["VSBPSYS"] == -4).any()
    assert set(vitals["VSWTUNIT"]) == {1, 2, -4}
    elecsys = pd.read_csv(synthetic_raw / "UPENNBIOMK_ROCHE_ELECSYS_09May2024.csv", dtype=str)
    assert "PTID" not in elecsys
    assert elecsys["ABETA42"].str.startswith("<").any()
    maps = [path.name.split("_RAVENS")[0] for path in (synthetic_raw / "ravens").iterdir()]
    assert len(maps) > len({name[:10] for name in maps})
    assert pd.read_csv(synthetic_raw / "DXSUM_PDXCONV_22Apr2024.csv")["DIAGNOSIS"].isna().any()


def test_the_cohort_finds_the_planted_diagnosis_of_every_subject(project, synthetic_raw):
    project(raw=str(synthetic_raw), base={})
    cohort()
    table = read_cohort(paths.cohort("adni"))
    planted = pd.read_csv(synthetic_raw / "planted.csv", index_col="PTID").loc[table["sample_id"]]
    assert len(table) > 50
    assert table["label"].tolist() == planted["diagnosis"].tolist()
    assert not planted["converts"].any()
    truth = json.loads((synthetic_raw / "planted.json").read_text())
    assert truth["synthetic"] is True
    severity = sum(weight * planted[name] for name, weight in truth["weights"].items())
    by_rule = np.array(CLASSES)[np.digitize(severity, truth["thresholds"])]
    assert (by_rule == planted["diagnosis"]).mean() > 0.7  # the rest is noise
    assert set(planted["exclusive_or"]) == {-1, 1}


def test_what_is_missing_depends_on_diagnosis_age_and_date():
    found = draw_subjects(40_000, np.random.default_rng(0))
    assert np.bincount(found.diagnosis).min() > 10_000
    by_diagnosis = {
        name: [float((~getattr(found, name))[found.diagnosis == own].mean()) for own in range(3)]
        for name in ("has_scan", "has_fluid", "has_blood", "has_genotypes")
    }
    # About the middle age, by the log odds: 3, 6, 12 % without a scan; 29, 35, 55 % without a puncture.
    assert by_diagnosis["has_scan"] == [pytest.approx(share, abs=0.01) for share in (0.03, 0.06, 0.12)]
    assert by_diagnosis["has_fluid"] == [pytest.approx(share, abs=0.015) for share in (0.29, 0.35, 0.55)]
    assert by_diagnosis["has_blood"] == [pytest.approx(share / 4, abs=0.01) for share in by_diagnosis["has_fluid"]]
    assert by_diagnosis["has_genotypes"] == [pytest.approx(0.04 + 0.21 / 4, abs=0.01)] * 3
    old = found.age > 80
    assert found.has_fluid[old].mean() < found.has_fluid[~old].mean() - 0.1
    assert found.has_scan[old].mean() < found.has_scan[~old].mean()
    late = found.baseline >= np.datetime64("2011-09-01")
    assert [float(found.has_genotypes[own].mean()) for own in (late, ~late)] == [
        pytest.approx(share, abs=0.01) for share in (0.75, 0.96)
    ]
    assert not (found.has_fluid & ~found.has_blood).any()


def test_files_lack_what_planted_says(synthetic_raw):
    planted = pd.read_csv(synthetic_raw / "planted.csv", index_col="PTID")
    rids = planted.index.str[-4:].astype(int)
    for table, has in (("APOERES", "blood"), ("ADNI_BLENNOW", "blood"), ("UPENN", "fluid"), ("UCSFFSX7", "scan")):
        rows = pd.read_csv(next(synthetic_raw.glob(f"{table}*")))
        assert set(rows["RID"]) == set(rids[planted[f"has_{has}"]])
    maps = {path.name[:10] for path in (synthetic_raw / "ravens").iterdir()}
    assert maps == set(planted.index[planted["has_scan"]])
    people = {line.split()[1] for path in (synthetic_raw / "plink").glob("*.fam") for line in path.open()}
    assert people == set(planted.index[planted["has_genotypes"]])
    truth = json.loads((synthetic_raw / "planted.json").read_text())
    assert set(truth["missing"]) == {"scan", "cerebrospinal fluid", "blood (APOE, NFL)", "genotypes"}


def test_the_filesets_merge_with_every_kind_of_repair(project, synthetic_raw):
    project(raw=str(synthetic_raw), base={})
    cohort()
    genetic()
    about = json.loads((paths.features("adni") / "genetic.json").read_text())
    assert [name for name, count in about["merge"].items() if not count] == ["mismatched"]
    assert about["removed"]["more missing in train than allowed"] > 0
    assert about["removed"]["in linkage disequilibrium"] > 100


def test_the_stage_replaces_what_an_earlier_run_left(project):
    folder = project()
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    params["synthetic"]["adni"] |= {"subjects": 5, "variants": 60}
    yaml.dump(params, folder / "params.yaml")
    old = folder / "data/synthetic/adni/ravens/old.nii"
    old.parent.mkdir(parents=True)
    old.touch()
    synthesize()
    assert not old.exists()
    assert len(pd.read_csv(folder / "data/synthetic/adni/planted.csv")) == 5
    assert not (folder / "data/synthetic/adni.partial").exists()
