"""Hand-written files in ADNI's layouts (synthetic), and a project folder whose settings point at them."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from bed_reader import to_bed
from nibabel.nifti1 import Nifti1Image
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.datasets.adni.synthetic.synthesize import write_files

ROOT = Path(__file__).parents[4]

# Nine subjects with one diagnosis each, three per class: CN 2, 3, 10; MCI 4, 5, 11; Dementia 6, 7, 12. And 8, who
# converts, 9 without a diagnosis, 13 without a map, 14 without genotypes, 15 without biospecimens.
DXSUM = """PHASE,PTID,RID,VISCODE,VISCODE2,EXAMDATE,DIAGNOSIS
ADNI1,001_S_0002,2,bl,bl,2006-01-10,1
ADNI1,001_S_0002,2,m12,m12,2007-01-10,1
ADNI1,001_S_0003,3,bl,bl,2006-01-10,1
ADNI1,001_S_0003,3,m06,m06,2006-07-10,
ADNI1,001_S_0010,10,bl,bl,2006-01-10,1
ADNI1,002_S_0004,4,bl,bl,2006-01-10,2
ADNI1,002_S_0005,5,bl,bl,2006-01-10,2
ADNI1,002_S_0011,11,bl,bl,2006-01-10,2
ADNI1,003_S_0006,6,bl,bl,2006-01-10,3
ADNI1,003_S_0007,7,bl,bl,2006-01-10,3
ADNI1,003_S_0012,12,bl,bl,2006-01-10,3
ADNI1,004_S_0008,8,bl,bl,2006-01-10,2
ADNI1,004_S_0008,8,m12,m12,2007-01-10,3
ADNI1,004_S_0009,9,bl,bl,2006-01-10,-4
ADNI1,004_S_0013,13,bl,bl,2006-01-10,1
ADNI1,004_S_0014,14,bl,bl,2006-01-10,1
ADNI1,004_S_0015,15,bl,bl,2006-01-10,1
"""
IDS = ["001_S_0002", "001_S_0003", "001_S_0010", "002_S_0004", "002_S_0005", "002_S_0011"]
IDS += ["003_S_0006", "003_S_0007", "003_S_0012"]
RIDS = [2, 3, 10, 4, 5, 11, 6, 7, 12]
SPLITS = ["train", "validation", "test"] * 3  # so that 2, 4 and 6 are train
# Only 2, 4, 6 are train: means of values below are over these. -4 is missing; 5 of PTMARRY is "unknown".
PTDEMOG = """ID,PTID,RID,VISCODE2,VISDATE,PTGENDER,PTDOBYY,PTHAND,PTMARRY,PTEDUCAT,PTNOTRT,PTETHCAT,PTRACCAT,PTCOGBEG,X
1,001_S_0002,2,sc,2006-01-01,1,1936,1,1,12,0,2,5,-4,a
1,001_S_0003,3,sc,2006-01-01,2,1926,1,5,20,1,2,5,-4,a
1,001_S_0010,10,sc,2006-01-01,2,1946,2,2,-4,1,2,4,-4,a
1,002_S_0004,4,sc,,2,1946,1,1,16,0,2,5,2001,a
1,002_S_0005,5,sc,2006-01-01,1,1936,1,1,16,1,2,5,2002,a
1,002_S_0011,11,sc,2006-01-01,1,1936,1,9,16,1,2,5,2002,a
1,003_S_0006,6,sc,2006-01-01,1,-4,1,2,20,1,2,5,2000,a
1,003_S_0007,7,sc,2006-01-01,1,1936,1,1,12,2,2,5,2000,a
1,003_S_0012,12,sc,2006-01-01,1,1936,1,1,14,1,2,7,2000,a
1,004_S_0015,15,sc,2006-01-01,1,1936,1,1,14,1,2,5,-4,a
"""
# 2 weighs 200 kilograms a year before the scan, 100 pounds days before it, and 300 pounds a year after it.
VITALS = """PTID,RID,VISCODE2,VISDATE,VSWEIGHT,VSWTUNIT,VSHEIGHT,VSHTUNIT,VSBPSYS,VSBPDIA,VSPULSE,VSRESP,VSTEMP,VSTMPUNT
001_S_0002,2,bl,2006-01-10,200,2,180,2,120,80,60,12,36,2
001_S_0002,2,m12,2007-01-10,100,1,70,1,140,90,60,12,98.6,1
001_S_0002,2,m24,2008-01-10,300,1,70,1,200,90,60,12,98.6,1
001_S_0003,3,bl,2006-01-10,60,2,160,2,110,80,60,12,36,2
001_S_0010,10,bl,2006-01-10,60,2,160,2,999,80,60,12,36,2
002_S_0004,4,bl,2006-01-10,75,2,160,2,100,70,70,14,38,2
002_S_0005,5,bl,2006-01-10,60,2,160,2,110,80,60,12,36,2
002_S_0011,11,bl,2006-01-10,60,-4,160,2,110,80,60,12,36,2
003_S_0006,6,bl,2006-01-10,-1,2,200,2,-4,60,80,16,-4,-4
003_S_0007,7,bl,2006-01-10,60,2,160,2,110,80,60,12,36,2
003_S_0012,12,bl,2006-01-10,60,2,160,2,110,80,60,12,36,2
"""
# 2 has three medications, 4 none, 6 one.
RECCMEDS = """PTID,RID,VISCODE2,VISDATE,CMMED,CMREASON
001_S_0002,2,sc,2006-01-01,Aspirin,heart
001_S_0002,2,sc,2006-01-01,Lipitor,heart
001_S_0002,2,sc,2006-01-01,Zinc,other
002_S_0004,4,sc,2006-01-01,-4,-4
003_S_0006,6,sc,2006-01-01,Aricept,memory
"""
APOERES = """PTID,RID,VISCODE,GENOTYPE
001_S_0002,2,sc,3/3
001_S_0003,3,sc,3/4
001_S_0010,10,sc,2/3
002_S_0004,4,sc,3/4
002_S_0005,5,sc,4/4
002_S_0011,11,sc,3/3
003_S_0006,6,sc,3/4
003_S_0007,7,sc,3/3
003_S_0012,12,sc,3/4
"""
# Without PTID, as older downloads. ABETA42 of 4 is below the detection limit.
ELECSYS = """PHASE,RID,VISCODE2,EXAMDATE,ABETA40,ABETA42,TAU,PTAU,COMMENT
ADNI1,2,bl,2006-01-12,,1000,200,20,
ADNI1,3,bl,2006-01-12,,>1700,300,30,
ADNI1,4,bl,2006-01-12,,<200,400,NA,
ADNI1,6,bl,2006-01-12,,600,300,40,
ADNI1,7,bl,2006-01-12,,600,1000,40,
"""
TABLES = {
    "DXSUM_PDXCONV_22Apr2024.csv": DXSUM,
    "PTDEMOG_09May2024.csv": PTDEMOG,
    "VITALS_09May2024.csv": VITALS,
    "RECCMEDS_09May2024.csv": RECCMEDS,
    "APOERES_09May2024.csv": APOERES,
    "UPENNBIOMK_ROCHE_ELECSYS_09May2024.csv": ELECSYS,
}
AFFINE = np.diag([-2.0, 2.0, 2.0, 1.0])
# Labels of 2 x 2 x 3 voxels: four of grey matter.
LABELS = np.zeros((2, 2, 3), np.int16)
LABELS[0, 0, 0] = LABELS[0, 1, 2] = LABELS[1, 0, 0] = LABELS[1, 1, 1] = 150
LABELS[0, 0, 1] = 250
# A map's grey voxels in C order: (0,0,0), (0,1,2), (1,0,0), (1,1,1); everything else is 9.
MAPS = {
    "001_S_0002_2006-01-15_RAVENS_150": [99, 99, 99, 99],  # not the latest
    "001_S_0002_2007-01-15_RAVENS_150": [1, 2, 3, 4],
    "001_S_0003_20060115": [5, 5, 5, 5],
    "001_S_0010_2006-01-15": [0, 0, 0, 1],
    "002_S_0004_2006-01-15": [3, 3, 3, 3],
    "002_S_0005_2006-01-15": [7, 0, 0, 0],
    "002_S_0011_2006-01-15": [0, 7, 0, 0],
    "003_S_0006_2006-01-15": [3, 4, 1, 4],
    "003_S_0007_2006-01-15": [0, 0, 7, 0],
    "003_S_0012_2006-01-15": [0, 0, 0, 7],
    "004_S_0008_2006-01-15": [1, 1, 1, 1],
    "004_S_0014_2006-01-15": [1, 1, 1, 1],
    "004_S_0015_2006-01-15": [1, 1, 1, 1],
}
M = -127
# By variant: chromosome, id, position, A1, A2, then genotypes of the first fileset (2, 3, 10, 4, 5, 11) and, as it is
# written in the second, alleles and genotypes (6, 7, 12, 15, and 2 again with calls that must not count).
VARIANTS = [
    ("1", "rs1", 100, "A", "C", [0, 1, 2, 1, 0, 0], "A", "C", [2, 0, 0, 0, 0]),
    ("1", "rs2", 200, "A", "G", [0, 0, 0, 1, 2, M], "G", "A", [0, 1, 2, M, 0]),  # swapped: 2 1 0 M
    ("1", "rs3", 300, "A", "C", [2, 1, 1, 2, 1, 1], "T", "G", [1, 2, 0, 0, 0]),  # flipped
    ("2", "rs4", 50, "C", "T", [1, 1, M, 0, 0, 2], "A", "G", [M, 0, 1, 0, 0]),  # both: M 2 1
    ("2", "rs5", 60, "A", "T", [0, 1, 2, 1, 0, 0], "A", "T", [2, 0, 0, 0, 0]),  # ambiguous
    ("23", "rs6", 60, "A", "C", [0, 1, 2, 1, 0, 0], "A", "C", [2, 0, 0, 0, 0]),  # chromosome X
    ("3", "rs7", 60, "A", "C", [1, 1, 1, 1, 0, 0], "A", "C", [1, 0, 0, 0, 0]),  # the same in all of train
    ("3", "rs8", 70, "A", "C", [M, 1, 1, M, 0, 0], "A", "C", [0, 0, 0, 0, 0]),  # missing in two of three
    ("3", "rs9", 90, "A", "C", [0, 1, 1, 1, 0, 0], None, None, []),  # in the first fileset only
    ("3", "rs0", 80, "I", "D", [0, 1, 1, 1, 0, 0], "I", "D", [0, 0, 0, 0, 0]),  # no SNP
]
PEOPLE = ["001_S_0002", "001_S_0003", "001_S_0010", "002_S_0004", "002_S_0005", "002_S_0011"]
SECOND_PEOPLE = ["003_S_0006", "003_S_0007", "003_S_0012", "004_S_0015", "001_S_0002"]


def write_map(path, values, labels=LABELS, affine=AFFINE, mask=None):
    """Write a map with these values at the grey voxels, and 9 elsewhere."""
    volume = np.full(labels.shape, 9, np.float32)
    volume[labels == 150 if mask is None else mask] = values
    content = Nifti1Image(volume, affine).to_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_fileset(bed, people, rows):
    """Write a fileset of (chromosome, id, position, A1, A2, genotypes)."""
    chromosome, sid, position, first, second, genotypes = zip(*rows, strict=True)
    properties = {"iid": people, "fid": ["1"] * len(people), "sid": sid, "chromosome": chromosome}
    properties |= {"bp_position": position, "allele_1": first, "allele_2": second}
    bed.parent.mkdir(parents=True, exist_ok=True)
    to_bed(bed, np.array(genotypes, np.int8).T, properties=properties)


def write_raw(raw):
    """Write all hand-written files."""
    raw.mkdir()
    for name, text in TABLES.items():
        (raw / name).write_text(text)
    (raw / "atlas.nii.gz").write_bytes(gzip.compress(Nifti1Image(LABELS, AFFINE).to_bytes()))
    for name, values in MAPS.items():
        write_map(raw / "ravens" / f"{name}.nii.gz", values)
    write_fileset(raw / "plink" / "first.bed", PEOPLE, [row[:6] for row in VARIANTS])
    second = [(*row[:2], row[2] + 7, *row[6:]) for row in VARIANTS if row[6]]
    write_fileset(raw / "plink" / "second.bed", SECOND_PEOPLE, second)


SETTINGS = {
    "clinical": {"tables": ["PTDEMOG", "VITALS", "RECCMEDS"]},
    "genetic": {"prune": None, "max_missing": 0.5},
    "cohort": {"max_missing_genotypes": 0.5},
}


# Of the hand-written rows; no message may quote it.
SUBJECT_DATA = ("Aspirin", "memory", "2006-01-12", "1946", "someday", "high", "sub-2", "001_S_0", "002_S_0", "003_S_0")


def text(name, content):
    return lambda raw: (raw / name).write_text(content)


def remove(name):
    return lambda raw: (raw / name).unlink()


def content(name, change):
    def write(raw):
        path = raw / name
        path.write_bytes(change(path.read_bytes()))

    return write


def error_of(stage, expected):
    with pytest.raises(InputError, match=expected) as caught:
        stage()
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in SUBJECT_DATA if word in message]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a folder of the hand-written files; return a function that writes the settings, changed."""
    monkeypatch.chdir(tmp_path)
    write_raw(tmp_path / "raw")

    def write(raw="raw", base=SETTINGS, **settings):
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load((ROOT / "params.yaml").read_text())
        adni = params["data"]["adni"] | {"raw": raw}
        for changes in (base, settings):
            for key, value in changes.items():
                adni[key] = adni[key] | value if isinstance(value, dict) else value
        params["data"]["adni"] = adni
        if base is SETTINGS:
            params["split"] = {"train": 0.4, "validation": 0.3, "test": 0.3, "seed": 0}
        yaml.dump(params, tmp_path / "params.yaml")
        return tmp_path

    write()
    return write


@pytest.fixture(scope="session")
def synthetic_raw(tmp_path_factory):
    """Write a synthetic ADNI of 100 subjects, once."""
    folder = tmp_path_factory.mktemp("synthetic") / "adni"
    write_files(folder, 100, 600, seed=1)
    return folder
