"""Diagnosis codes of MIMIC-IV by visit: multi-hot over truncated ICD codes that enough train patients have."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.mimic.sequences import Visits, fitted_on_visits, read_samples, samples_with, write_sequence
from stages.datasets.mimic.settings import Settings
from stages.datasets.mimic.source import open_source
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted


def code() -> None:
    """Write data/features/mimic/code.npy [N, T, codes], .lengths.npy and .json."""
    settings = load_block("data.mimic", Settings)
    visits = read_samples(settings.cohort.max_visits)
    diagnoses = read_diagnoses(visits, settings)
    vocabulary = train_vocabulary(diagnoses, visits, settings.code.min_patients)
    if not vocabulary:
        raise InputError(
            f"{settings.raw}: no diagnosis code is shared by {settings.code.min_patients} train patients: lower "
            "data.mimic.code.min_patients"
        )
    has_code = np.isin(np.arange(len(visits.hadm_id)), diagnoses["visit"])
    known = diagnoses[diagnoses["code"].isin(vocabulary)]
    array = multi_hot(known, vocabulary, len(visits.hadm_id))
    description = {
        "source": settings.raw,
        "features": vocabulary,
        "share_of_codes_outside_vocabulary": round(1 - len(known) / len(diagnoses), 4),
        "fitted": fitted_on_visits(visits, "vocabulary"),
    }
    save_fitted("mimic", "code", {"vocabulary": np.array(vocabulary)})
    write_sequence(
        paths.features("mimic"),
        "code",
        array,
        samples_with(visits, has_code),
        visits,
        settings.cohort.max_visits,
        description,
    )


def read_diagnoses(visits: Visits, settings: Settings) -> pd.DataFrame:
    """Return the distinct codes of each visit: visit, code as ICD version, colon, first characters.

    Raises:
        InputError: where two rows have the same hadm_id and seq_num.
    """
    length, ecode = settings.code.length, settings.code.ecode_length
    versions = ", ".join(map(str, settings.cohort.icd_versions))
    with open_source(settings.raw, settings.memory_limit) as source:
        source.connection.register("visits", visits.table())
        rows = source.query(
            f"""
            SELECT visit, seq_num, concat(icd_version, ':', left(trim(icd_code),
                CASE WHEN icd_version = 9 AND icd_code LIKE 'E%' THEN {ecode} ELSE {length} END)) AS code
            FROM {source.scan("diagnoses_icd")} JOIN visits USING (hadm_id)
            WHERE icd_version IN ({versions}) AND icd_code IS NOT NULL ORDER BY visit, seq_num
            """,  # noqa: S608
            "diagnoses_icd",
        ).df()
        repeated = int(rows.duplicated(["visit", "seq_num"]).sum())
        if repeated:
            raise InputError(
                f"{source.path('diagnoses_icd')}: {repeated} rows have the hadm_id and seq_num of another row: "
                "download the file again"
            )
    return rows[["visit", "code"]].drop_duplicates()


def train_vocabulary(diagnoses: pd.DataFrame, visits: Visits, min_patients: int) -> list[str]:
    """Return the codes that at least so many train patients have in any of their visits, sorted."""
    rows = diagnoses.assign(row=visits.row[diagnoses["visit"]])[visits.is_train[diagnoses["visit"]]]
    patients = rows.groupby("code")["row"].nunique()
    return sorted(patients.index[patients >= min_patients])


def multi_hot(diagnoses: pd.DataFrame, vocabulary: list[str], num_visits: int) -> NDArray[np.uint8]:
    """Return 1 where a visit has a code [V, codes]."""
    array = np.zeros((num_visits, len(vocabulary)), dtype=np.uint8)
    array[diagnoses["visit"], pd.Index(vocabulary).get_indexer(diagnoses["code"])] = 1
    return array


if __name__ == "__main__":
    run(code)
