"""New subjects of ADNI, without diagnoses: prepared with what was fitted on the train split."""

from pathlib import Path

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.adni.genetic.features import write_new_genotypes
from stages.datasets.adni.genetic.matching import variants_of
from stages.datasets.adni.genetic.plink import FOLDER, find_filesets
from stages.datasets.adni.image.features import write_new_maps
from stages.datasets.adni.image.freesurfer import write_new_freesurfer
from stages.datasets.adni.image.scans import FREESURFER, MAPS, read_scans
from stages.datasets.adni.presence import TABLES, Flow, keep_by_presence
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import PTID, files_of, load_table, needed_table
from stages.datasets.adni.tables import write_new
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import count_removed
from stages.shared.new import NewSamples


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new subjects from files laid out as ADNI's, without diagnoses or an atlas.

    Who is in, and which scan and rows count, follow the dataset's own settings. Where incomplete subjects are kept, all
    files of a modality may be missing.

    Raises:
        InputError: for files that cannot be read or do not fit those of train, or when no subject is left.
    """
    settings = load_block(f"data.{dataset}", Settings).model_copy(update={"raw": str(raw)})
    if not raw.is_dir():
        raise InputError(f"{raw} is not a folder: put the new files there")
    subjects, removed = choose_subjects(dataset, raw, settings)
    unseen: dict[str, float] = {}
    for modality in settings.modalities:
        unseen |= write_modality(dataset, modality, settings, subjects, folder)
    return NewSamples(subjects["sample_id"].tolist(), removed, unseen)


def choose_subjects(dataset: str, raw: Path, settings: Settings) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return who can be predicted, with the columns of `keep_by_presence`, and how many each filter removed."""
    found = settings.modalities
    if settings.incomplete == "keep":
        found = [name for name in found if has_files(raw, name, settings)]
    there = settings.model_copy(update={"modalities": found})
    flow = Flow(str(raw), find_subjects(there))
    if flow.subjects.empty:
        raise InputError(f"{raw}: no file names a subject: put scans, genotypes or tables of new subjects there")
    flow.keep("without a PTID in any file", flow.subjects.loc[flow.subjects["sample_id"].notna(), "rid"])
    if settings.cohort.label == "visit":
        dated = flow.subjects["visit_date"].notna()
        flow.keep(f"no date of visit {settings.cohort.visit}", flow.subjects.loc[dated, "rid"])
    variants = variants_of(read_fitted(paths.fitted(dataset, "genetic"))) if "genetic" in found else None
    keep_by_presence(flow, there, variants)
    subjects = flow.subjects.sort_values("sample_id", ignore_index=True)
    absent = {f"has_{name}": False for name in settings.modalities if name not in found}
    return subjects.assign(**absent), count_removed(flow.steps, "subjects")


def write_modality(
    dataset: str, modality: str, settings: Settings, subjects: pd.DataFrame, folder: Path
) -> dict[str, float]:
    """Write one modality of new subjects; return by `modality: feature` the share of values that train never had."""
    if modality == "genetic":
        return write_new_genotypes(dataset, settings, subjects, folder)
    if modality in TABLES:
        return write_new(dataset, modality, settings, subjects, folder)
    write = write_new_freesurfer if settings.image_source == "freesurfer" else write_new_maps
    write(dataset, settings, subjects, folder)
    return {}


def has_files(raw: Path, modality: str, settings: Settings) -> bool:
    """Return whether there is any file of a modality."""
    if modality == "genetic":
        return any((raw / FOLDER).glob("*.bed"))
    if modality in TABLES:
        return any(files_of(raw, name) for name in settings.tables(modality))
    if settings.image_source == "freesurfer":
        return bool(files_of(raw, FREESURFER))
    return (raw / MAPS).is_dir()


def find_subjects(settings: Settings) -> pd.DataFrame:
    """Return every subject that a file names: rid, sample_id (the PTID, or None), visit_date.

    Where the label is the diagnosis at a visit, DXSUM says when that was; its diagnoses are not looked at.

    Raises:
        InputError: for a table that cannot be read, or gives a subject another PTID than an earlier one.
    """
    names = [name for modality in TABLES if modality in settings.modalities for name in settings.tables(modality)]
    is_freesurfer = settings.image_source == "freesurfer"
    names += [FREESURFER] if is_freesurfer and "image" in settings.modalities else []
    names += ["DXSUM"] if settings.cohort.label == "visit" else []
    ptids: dict[int, str | None] = {}
    for name in names:
        add_subjects(settings.raw, name, ptids)
    if "image" in settings.modalities and not is_freesurfer:
        scans = read_scans(settings)
        add_ptids(scans["scan"].str.extract(r"^(\d{3}_S_\d{4,5})_")[0].tolist(), ptids)
    if "genetic" in settings.modalities:
        add_ptids([person for fileset in find_filesets(settings.raw) for person in fileset.people], ptids)
    subjects = pd.DataFrame({"rid": list(ptids), "sample_id": list(ptids.values())}).astype({"rid": np.int64})
    dates = visit_dates(settings) if settings.cohort.label == "visit" else pd.Series(dtype="datetime64[ns]")
    return subjects.assign(visit_date=dates.reindex(subjects["rid"]).to_numpy())


def add_subjects(raw: str, name: str, ptids: dict[int, str | None]) -> None:
    """Add the subjects of a table; some have roster ids alone."""
    table = load_table(raw, name)
    if table is None:
        return
    rids = table.rid()
    own = table.rows["PTID"] if "PTID" in table.rows else pd.Series(None, index=rids.index, dtype=object)
    known = rids.map({rid: ptid for rid, ptid in ptids.items() if ptid is not None}).astype(object)
    expected = known.where(known.notna(), own.groupby(rids).transform("first"))
    table.refuse(own.notna() & (own != expected), "PTID", "differs from that of the same RID elsewhere")
    for rid, ptid in own.groupby(rids).first().items():
        ptids[int(rid)] = ptids.get(int(rid)) or (ptid if isinstance(ptid, str) else None)


def add_ptids(found: list[str], ptids: dict[int, str | None]) -> None:
    """Add the subjects whose PTIDs are these; ids of another kind are not ADNI's."""
    for ptid in found:
        if match := PTID.match(ptid):
            ptids[int(match[1])] = ptids.get(int(match[1])) or ptid


def visit_dates(settings: Settings) -> "pd.Series[pd.Timestamp]":
    """Return by roster id the date of the visit whose diagnosis is the label."""
    table = needed_table(settings.raw, "DXSUM")
    table.require(["RID", "VISCODE2"])
    rows = pd.DataFrame({"rid": table.rid(), "date": table.dates()})[table.rows["VISCODE2"] == settings.cohort.visit]
    dates: pd.Series[pd.Timestamp] = rows.dropna().groupby("rid")["date"].first()
    return dates
