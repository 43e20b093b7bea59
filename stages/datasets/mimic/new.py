"""New patients of MIMIC-IV: their visits prepared with what was fitted on the train split."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.mimic.code.features import multi_hot, read_diagnoses
from stages.datasets.mimic.cohort import read_admissions, select, visits
from stages.datasets.mimic.lab import features as lab
from stages.datasets.mimic.measurements import measure
from stages.datasets.mimic.note.features import embedding, read_notes
from stages.datasets.mimic.note.notes import load_notes
from stages.datasets.mimic.sequences import Visits, samples_with, write_sequence
from stages.datasets.mimic.settings import Settings
from stages.datasets.mimic.source import open_source
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import count_removed
from stages.shared.new import NewSamples
from stages.shared.words import scaled


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new patients from tables laid out as MIMIC-IV's; `dod` may be empty.

    Who is in and which admission is the index one follow the dataset's own settings; a death in hospital, which is
    known at discharge, counts as there.

    Raises:
        InputError: for tables that cannot be read, or without a patient who has what a prediction needs.
    """
    settings = load_block(f"data.{dataset}", Settings).model_copy(update={"raw": str(raw)})
    with tempfile.TemporaryDirectory(prefix="i2moe-mimic-") as name:
        measure(settings, Path(name))
        with open_source(settings.raw, settings.memory_limit) as source:
            num_patients, admissions = read_admissions(source, settings, Path(name))
        candidates, index, flow = select(admissions, settings, num_patients)
        if index.empty:
            raise InputError(f"{raw}: no patient is left after {flow[-1]['filter']!r}")
        index = index.assign(sample_id=index["subject_id"].astype(str)).sort_values("sample_id")
        steps = _visits(visits(candidates, index, settings.cohort.max_visits), index["sample_id"].tolist())
        writers = {"lab": _write_lab, "note": _write_note, "code": _write_code}
        for modality in settings.modalities:
            writers[modality](dataset, settings, steps, folder, Path(name))
    return NewSamples(index["sample_id"].tolist(), count_removed(flow, "patients"))


def _visits(table: pd.DataFrame, sample_ids: list[str]) -> Visits:
    row = pd.Index(sample_ids).get_indexer(pd.Index(table["sample_id"]))
    return Visits(
        hadm_id=table["hadm_id"].to_numpy(np.int64),
        row=row,
        step=table["step"].to_numpy(np.int64),
        is_train=np.zeros(len(table), bool),
    )


def _write_lab(dataset: str, settings: Settings, steps: Visits, folder: Path, interim: Path) -> None:
    fitted = read_fitted(paths.fitted(dataset, "lab"))
    values = lab.read_values(steps, lab.features_of(settings.lab), settings.lab.summaries, interim)
    present = samples_with(steps, np.asarray(np.isfinite(values).any(axis=(1, 2))))
    array = lab.scaled(values, fitted, settings.lab)
    write_sequence(folder, "lab", array, present, steps, settings.cohort.max_visits, {})


def _write_note(dataset: str, settings: Settings, steps: Visits, folder: Path, interim: Path) -> None:  # noqa: ARG001
    fitted = read_fitted(paths.fitted(dataset, "note"))
    with open_source(settings.raw, settings.memory_limit) as source:
        load_notes(source, steps)
        array, has_note = read_notes(source, steps, embedding(settings.note, fitted))
    array = scaled(array, has_note, fitted)
    write_sequence(folder, "note", array, samples_with(steps, has_note), steps, settings.cohort.max_visits, {})


def _write_code(dataset: str, settings: Settings, steps: Visits, folder: Path, interim: Path) -> None:  # noqa: ARG001
    vocabulary: list[str] = read_fitted(paths.fitted(dataset, "code"))["vocabulary"].tolist()
    diagnoses = read_diagnoses(steps, settings)
    has_code = np.isin(np.arange(len(steps.hadm_id)), diagnoses["visit"])
    array = multi_hot(diagnoses[diagnoses["code"].isin(vocabulary)], vocabulary, len(steps.hadm_id))
    write_sequence(folder, "code", array, samples_with(steps, has_code), steps, settings.cohort.max_visits, {})
