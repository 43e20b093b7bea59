"""Patients of MIMIC-IV for people to look at: the note of the last visit that has one."""

from collections.abc import Mapping

import numpy as np

from i2moe.contract.cohort import read_cohort
from stages.datasets.mimic.note.notes import load_notes, stream
from stages.datasets.mimic.sequences import Visits, read_samples
from stages.datasets.mimic.settings import Settings
from stages.datasets.mimic.source import open_source
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.inputs import Raw, texts_in_order


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return notes; labs and codes are shown by their features; see `stages.shared.inputs`."""
    if "note" not in samples:
        return {}
    settings = load_block(f"data.{dataset}", Settings)
    row_of = {name: row for row, name in enumerate(read_cohort(paths.cohort(dataset))["sample_id"])}
    rows = [row_of[name] for name in samples["note"]]
    visits = visits_of(rows, settings.cohort.max_visits)
    last: dict[int, str] = {}
    with open_source(settings.raw, settings.memory_limit) as source:
        load_notes(source, visits)
        for numbers, texts in stream(source, "true"):  # in order of visits: a later one takes the place
            last |= dict(zip(visits.row[numbers].tolist(), texts, strict=True))
    return {"note": texts_in_order(last, rows, settings.raw)}


def visits_of(rows: list[int], most: int) -> Visits:
    """Return the visits of some cohort rows alone, in order; a sample has at most so many."""
    visits = read_samples(most)
    own = np.isin(visits.row, rows)
    return Visits(visits.hadm_id[own], visits.row[own], visits.step[own], visits.is_train[own])
