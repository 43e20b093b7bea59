"""Cohort of ENRICO: screens with a topic and every image, without those that are corrupt or, on request, flawed."""

import random

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import SPLITS
from stages.datasets.enrico.settings import Settings
from stages.datasets.enrico.source import (
    OFFICIAL_CORRUPT,
    TOPICS_FILE,
    having_images,
    read_flawed,
    read_topics,
    require_images,
)
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, Step, count_removed, finish_cohort

# The official split (MultiBench, datasets/enrico/get_data.py): these screens out, the others shuffled with this seed,
# then cut at 65 % and 80 %.
OFFICIAL_SEED, OFFICIAL_CUTS = 42, (0.65, 0.80)


def cohort() -> None:
    """Write data/cohorts/enrico.csv, and .json with the flow table."""
    settings = load_block("data.enrico", Settings)
    raw = read_topics(settings.raw)
    table, flow = select(raw.assign(split=official_splits(raw)), settings)
    table = table.sort_values("sample_id")
    table, presence = with_images(table, settings, flow)
    classes, labels = np.unique(table["topic"].to_numpy(str), return_inverse=True)
    finish_cohort(
        Cohort(
            dataset="enrico",
            task=Settings.task,
            classes=classes.tolist(),
            modalities=list(settings.modalities),
            licence=settings.licence,
            sample_ids=table["sample_id"].to_numpy(str),
            labels=labels,
            num_raw=len(raw),
            raw=settings.raw,
            splits=table["split"].to_numpy(str) if settings.split == "official" else None,
            filters=count_removed(flow, "screens"),
            flow=flow,
            presence=presence,
        )
    )


def with_images(
    table: pd.DataFrame, settings: Settings, flow: list[Step]
) -> tuple[pd.DataFrame, NDArray[np.bool_] | None]:
    """Return the screens that have images of all modalities, or of any, and then which; [N, M].

    Raises:
        InputError: for screens that lack an image, unless they are to be kept.
    """
    ids = table["sample_id"].tolist()
    if settings.incomplete == "drop":
        for modality in settings.modalities:
            require_images(settings.raw, modality, ids)
        return table, None
    presence = np.stack([having_images(settings.raw, modality, ids) for modality in settings.modalities], axis=1)
    kept = presence.any(axis=1)
    removed = {"screens_removed": int((~kept).sum()), "screens_left": int(kept.sum())}
    flow.append({"filter": "without any modality", **removed})
    return table[kept], presence[kept]


def official_splits(raw: pd.DataFrame) -> NDArray[np.str_]:
    """Return each screen's official split, in the file's order; that of the corrupt two is empty.

    Args:
        raw: all rows of design_topics.csv, in order: the split depends on it.
    """
    names = np.full(len(raw), "", dtype="<U10")
    rows = np.flatnonzero(~raw["sample_id"].isin(OFFICIAL_CORRUPT)).tolist()
    random.Random(OFFICIAL_SEED).shuffle(rows)  # noqa: S311 (the published split, no secret)
    cuts = [int(cut * len(rows)) for cut in OFFICIAL_CUTS]
    for name, part in zip(SPLITS, np.split(np.array(rows, dtype=np.int64), cuts), strict=True):
        names[part] = name
    return names


def select(table: pd.DataFrame, settings: Settings) -> tuple[pd.DataFrame, list[Step]]:
    """Apply the filters in order; return the screens left and what each filter removed.

    Raises:
        InputError: when no screen is left.
    """
    listed = set(map(str, settings.exclude))
    if unknown := sorted(listed - set(table["sample_id"])):
        print(f"enrico: data.enrico.exclude lists screens that {TOPICS_FILE} does not have: {', '.join(unknown)}")
    removed_by = {"listed under data.enrico.exclude": listed}
    if settings.split == "official":
        removed_by["in no official split"] = set(OFFICIAL_CORRUPT)
    if settings.issues != "keep":
        only_high = settings.issues == "drop_high"
        name = f"with an issue{' of high severity' if only_high else ''} in issues.csv"
        removed_by[name] = read_flawed(settings.raw, only_high=only_high)
    flow: list[Step] = []
    for name, removed in removed_by.items():
        left = table[~table["sample_id"].isin(removed)]
        flow.append({"filter": name, "screens_removed": len(table) - len(left), "screens_left": len(left)})
        table = left
        if table.empty:
            raise InputError(f"{settings.raw}: no screen is left after {name!r}: relax data.enrico")
    return table, flow


if __name__ == "__main__":
    run(cohort)
