"""Who has which modality, when each subject is looked at, and who stays; of the cohort and of new subjects alike."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.adni.codebook import WITHOUT_VISITS, rows_in_time
from stages.datasets.adni.genetic.matching import match, name_unseen_alleles
from stages.datasets.adni.genetic.plink import Genotypes, find_filesets, merge
from stages.datasets.adni.image.freesurfer import rows_with_a_measure
from stages.datasets.adni.image.scans import choose_scans, read_scans
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import load_table
from stages.datasets.adni.values import limits_of, read_values

if TYPE_CHECKING:
    from stages.shared.cohort.cohorts import Step

TABLES = ("clinical", "biospecimen")


class Flow:
    """The subjects still in, and by filter how many it removed and left."""

    def __init__(self, raw: str, subjects: pd.DataFrame) -> None:
        self.raw = raw
        self.subjects = subjects
        self.steps: list[Step] = []

    def keep(self, name: str, rids: "pd.Series[Any]") -> None:
        """Keep the subjects of these roster ids.

        Raises:
            InputError: when none is left.
        """
        left = self.subjects[self.subjects["rid"].isin(rids)]
        removed = len(self.subjects) - len(left)
        self.steps.append({"filter": name, "subjects_removed": removed, "subjects_left": len(left)})
        if left.empty:
            raise InputError(
                f"{self.raw}: no subject is left after {name!r}, which removed {removed}: are all files of the same "
                "subjects, named by PTID (an IID of a .fam file too)? Or relax data.adni.cohort"
            )
        self.subjects = left


@dataclass(frozen=True)
class Check:
    """What a subject must pass to have a modality."""

    modality: str
    failing: str  # who does not pass, in words
    passes: NDArray[np.bool_]  # [N]


def keep_by_presence(flow: Flow, settings: Settings, variants: pd.DataFrame | None = None) -> None:
    """Keep the subjects that have every modality, or any where incomplete ones are kept.

    Those who stay get columns: `scan`, `date` when they are looked at, and `has_<modality>`.

    Args:
        flow: with subjects of columns rid, sample_id, and visit_date where the label is the diagnosis at a visit.
        settings: of the dataset.
        variants: those of train, where the subjects are new.

    Raises:
        InputError: for files that cannot be read, or when no subject is left.
    """
    flow.subjects = with_dates(flow.subjects, settings)
    checks = list_checks(flow.subjects, settings, variants)
    columns = {f"has_{name}": np.ones(len(flow.subjects), bool) for name in settings.modalities}
    for check in checks:
        columns[f"has_{check.modality}"] = columns[f"has_{check.modality}"] & check.passes
    rids = flow.subjects["rid"]
    flow.subjects = flow.subjects.assign(**columns)
    if settings.incomplete == "keep":
        flow.keep("without any modality", rids[np.any(list(columns.values()), axis=0)])
    else:
        for check in checks:
            flow.keep(check.failing, rids[check.passes])


def with_dates(subjects: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Add each subject's scan and its date.

    Where incomplete subjects are kept, who has no scan is looked at on the day of the visit whose diagnosis is the
    label; or, where the one diagnosis of all visits is, on that of the latest (or first) row in the dataset's tables.
    """
    if "image" in settings.modalities:
        subjects = subjects.merge(choose_scans(read_scans(settings), subjects, settings), on="rid", how="left")
    else:
        subjects = subjects.assign(scan=None, date=pd.NaT)
    if settings.incomplete == "keep":
        other = subjects["visit_date"]
        if settings.cohort.label == "stable":
            other = dates_of_rows(settings).reindex(subjects["rid"]).set_axis(subjects.index)
        subjects["date"] = pd.to_datetime(subjects["date"]).fillna(pd.to_datetime(other))
    return subjects


def dates_of_rows(settings: Settings) -> "pd.Series[Any]":
    """Return by roster id the date of the latest row in any table, or of the first where the first scan counts."""
    names = [name for modality in TABLES if modality in settings.modalities for name in settings.tables(modality)]
    tables = [load_table(settings.raw, name) for name in names if name not in WITHOUT_VISITS]
    rows = [pd.DataFrame({"rid": table.rid(), "date": table.dates()}) for table in tables if table is not None]
    if not rows:
        return pd.Series(dtype="datetime64[ns]")
    by_subject = pd.concat(rows).groupby("rid")["date"]
    return by_subject.max() if settings.cohort.scan == "latest" else by_subject.min()


def list_checks(subjects: pd.DataFrame, settings: Settings, variants: pd.DataFrame | None) -> list[Check]:
    """Return what subjects must pass, in order; arguments as `keep_by_presence`."""
    checks = _image_checks(subjects, settings) if "image" in settings.modalities else []
    if "genetic" in settings.modalities:
        checks += _genetic_checks(subjects, settings, variants)
    for modality in TABLES:
        if modality in settings.modalities:
            checks += _table_checks(subjects, modality, settings)
    return checks


def _image_checks(subjects: pd.DataFrame, settings: Settings) -> list[Check]:
    near = f" within {settings.cohort.max_days_from_visit} days of the visit"
    has = subjects["scan"].notna().to_numpy()
    checks = [Check("image", f"without a scan{near if settings.cohort.label == 'visit' else ''}", has)]
    if settings.incomplete == "keep" and settings.image_source == "freesurfer":
        measured = subjects["scan"].isin(list(rows_with_a_measure(settings))).to_numpy()
        checks.append(Check("image", "without any measure", measured))
    return checks


def _genetic_checks(subjects: pd.DataFrame, settings: Settings, variants: pd.DataFrame | None) -> list[Check]:
    """Check who is genotyped, and with how many missing calls; a .fam file's IID is the PTID."""
    filesets = find_filesets(settings.raw)
    if variants is not None:
        filesets = [name_unseen_alleles(fileset, variants) for fileset in filesets]
    merged = merge(filesets, settings.genetic)
    places = merged.people()
    has = subjects["sample_id"].isin(list(places)).to_numpy()
    people, limit = subjects.loc[has, "sample_id"].tolist(), settings.cohort.max_missing_genotypes
    few_missing = has.copy()
    if people:
        few_missing[has] = Genotypes(merged, people).missing_share() <= limit
    checks = [Check("genetic", "without genotypes", has)]
    checks.append(Check("genetic", f"more than {limit:.0%} of genotypes missing", few_missing))
    if variants is not None and people:
        covers = [share <= limit for share in match(filesets, variants, settings.genetic).share_lacking()]
        covered = has.copy()
        covered[has] = [covers[places[person][0]] for person in people]
        checks.append(
            Check("genetic", f"in filesets that lack more than {limit:.0%} of the variants of train", covered)
        )
    return checks


def _table_checks(subjects: pd.DataFrame, modality: str, settings: Settings) -> list[Check]:
    """Check who has a row in time in any, or all, of a modality's tables; and a value, where who has none is absent."""
    limits = limits_of(subjects, settings)
    tables = [table for name in settings.tables(modality) if (table := load_table(settings.raw, name))]
    having = [subjects["rid"].isin(rows_in_time(table, limits)["rid"]).to_numpy() for table in tables]
    combine = np.all if settings.cohort.tables_needed == "all" else np.any
    rows = np.asarray(combine(having, axis=0)) if having else np.zeros(len(subjects), bool)
    checks = [Check(modality, f"without {modality} rows", rows)]
    if settings.incomplete == "keep":
        values, *_ = read_values(subjects, modality, settings)
        checks.append(Check(modality, f"without {modality} values", values.notna().any(axis=1).to_numpy()))
    return checks
