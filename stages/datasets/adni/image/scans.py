"""Which scans there are and which one is a subject's: grey-matter maps by their file names, or FreeSurfer's rows."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from i2moe.base.errors import InputError, numbered
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import needed_table

# <PTID>_<date of the scan>, then anything: 011_S_0002_2005-08-26_RAVENS_150.nii.gz, or the date as 20050826.
MAP_NAME = re.compile(r"^\d{3}_S_(?P<rid>\d{4,5})_(?P<date>\d{4}-?\d{2}-?\d{2})(?!\d).*\.nii(?:\.gz)?$")
MAPS = "ravens"  # folder under the raw path
FREESURFER = "UCSFFSX7"


def read_scans(settings: Settings) -> pd.DataFrame:
    """Return every scan: rid, date, scan (a map's file name, or a row of FreeSurfer's table), by subject and date.

    Raises:
        InputError: for a missing folder or table, a map whose name does not tell whose it is, or two of the same day.
    """
    if settings.image_source == "freesurfer":
        table = needed_table(settings.raw, FREESURFER)
        scans = pd.DataFrame({"rid": table.rid(), "date": table.dates(), "scan": table.rows.index.astype(str)})
        scans = scans.dropna(subset="date")
    else:
        scans = _read_maps(Path(settings.raw) / MAPS)
    return scans.sort_values(["rid", "date"], kind="stable", ignore_index=True)


def _read_maps(folder: Path) -> pd.DataFrame:
    """List the maps of a folder."""
    if not folder.is_dir():
        raise InputError(
            f"{folder} is missing: put the grey-matter maps there, or set data.adni.image_source to freesurfer"
        )
    rows = []
    for path in sorted([*folder.glob("*.nii"), *folder.glob("*.nii.gz")]):
        match = MAP_NAME.match(path.name)
        date = pd.to_datetime(match["date"], errors="coerce") if match else pd.NaT
        if match is None or pd.isna(date):
            raise InputError(
                f"{numbered(path)} is not named <PTID>_<date>….nii.gz: rename it, or move it out of this folder"
            )
        rows.append((int(match["rid"]), date, path.name))
    twice = [key for key, count in Counter(row[:2] for row in rows).items() if count > 1]
    if twice:
        numbers = [place for place, row in enumerate(rows, start=1) if row[:2] == twice[0]]
        raise InputError(
            f"{folder}: of its {len(rows)} maps by name, {' and '.join(map(str, numbers))} are of the same subject and "
            "day: leave one of them there"
        )
    return pd.DataFrame(rows, columns=["rid", "date", "scan"])


def choose_scans(scans: pd.DataFrame, subjects: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Return each subject's scan: rid, date, scan.

    Args:
        scans: of `read_scans`.
        subjects: rid, and visit_date where the label is the diagnosis at a visit.
        settings: latest or first scan; or the one nearest to the visit, the earlier of two equally near.
    """
    own = scans.merge(subjects[["rid", "visit_date"]], on="rid")
    if settings.cohort.label == "visit":
        own["distance"] = (own["date"] - own["visit_date"]).abs().dt.days
        own = own[own["distance"] <= settings.cohort.max_days_from_visit]
        own = own.sort_values(["rid", "distance", "date"], kind="stable")
    last = settings.cohort.label == "stable" and settings.cohort.scan == "latest"
    return own.groupby("rid", as_index=False).nth(-1 if last else 0)[["rid", "date", "scan"]]
