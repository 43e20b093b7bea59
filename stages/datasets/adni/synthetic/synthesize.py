"""Write a synthetic ADNI: the files, names, columns and quirks of the real one, and a planted cause of the diagnosis.

The diagnosis follows from a severity with known terms, each visible in known files (`planted.json`): one term that
only the clinical tables show (uniqueness), one that all modalities show (redundancy), and an exclusive or of one bit in
the genotypes and one in the biospecimens (synergy). Scans, blood and cerebrospinal fluid are missing more often where
the diagnosis is worse, and genotypes where enrolment was late (`planted.json` says why, `planted.csv` in whom).
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from i2moe.contract.planted import PlantedTerm
from stages.datasets.adni.genetic.plink import FOLDER
from stages.datasets.adni.settings import SyntheticSettings
from stages.datasets.adni.source import CLASSES
from stages.datasets.adni.synthetic.files import write_filesets, write_maps
from stages.datasets.adni.synthetic.subjects import MISSING, NOISE, RULE, THRESHOLDS, WEIGHTS, Subjects, draw_subjects
from stages.datasets.adni.synthetic.tables import SHOWN_BY, tables
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

# As LONI writes the day of the download.
FILE_NAMES = {"DXSUM": "DXSUM_PDXCONV_22Apr2024", "BLENNOWPLASMANFL": "ADNI_BLENNOWPLASMANFLLONG_10_03_18_09May2024"}
DOWNLOADED = "09May2024"
TERMS = [
    PlantedTerm(
        role="uniqueness", modalities=["clinical"], words="a decline that only examination and blood pressure show"
    ),
    PlantedTerm(
        role="redundancy",
        modalities=["image", "genetic", "clinical", "biospecimen"],
        words="a severity that every modality shows",
    ),
    PlantedTerm(
        role="synergy",
        modalities=["genetic", "biospecimen"],
        words="an allele of variants without APOE 4, or APOE 4 without that allele, but not both",
    ),
]


def synthesize() -> None:
    """Write data/synthetic/adni: every file that the other stages read, planted.json and planted.csv."""
    settings = load_block("synthetic.adni", SyntheticSettings)
    with new_files("adni") as folder:
        write_files(folder, settings.subjects, settings.variants, settings.seed)
    print(f"{paths.synthetic('adni')}: synthetic ADNI of {settings.subjects} subjects")


def write_files(folder: Path, num_subjects: int, num_variants: int, seed: int) -> None:
    """Write all files; each kind draws from a stream of its own."""
    streams = [np.random.default_rng([seed, number]) for number in range(4)]
    subjects = draw_subjects(num_subjects, streams[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables(subjects, streams[1]).items():
        path = folder / f"{FILE_NAMES.get(name, f'{name}_{DOWNLOADED}')}.csv"
        table.to_csv(path, index=False, quoting=csv.QUOTE_ALL, lineterminator="\n")
    write_maps(folder, subjects, streams[2])
    write_filesets(folder / FOLDER, subjects, num_variants, streams[3])
    _write_planted(folder, subjects, seed)


def _write_planted(folder: Path, subjects: Subjects, seed: int) -> None:
    """Write the rule, and each subject's terms and diagnosis, and what the subject has."""
    diagnosis = np.array(CLASSES)[subjects.diagnosis]
    table = {"PTID": subjects.ptid, **subjects.terms, "converts": subjects.converts, "diagnosis": diagnosis}
    names = ("age", "has_scan", "has_genotypes", "has_poor_genotypes", "has_fluid", "has_blood")
    pd.DataFrame(table | {name: getattr(subjects, name) for name in names}).to_csv(
        folder / "planted.csv", index=False, lineterminator="\n"
    )
    write_planted(
        folder,
        RULE,
        TERMS,
        weights=WEIGHTS,
        thresholds=THRESHOLDS,
        noise=NOISE,
        shown_by=SHOWN_BY,
        missing=MISSING,
        subjects=len(subjects.rid),
        seed=seed,
    )


if __name__ == "__main__":
    run(synthesize)
