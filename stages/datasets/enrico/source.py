"""ENRICO's tables, design_topics.csv and issues.csv, read as text and checked by row; and where its images are."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest

TOPICS_FILE, ISSUES_FILE = "design_topics.csv", "issues.csv"
# As design_topics.csv names them; its `calculator` is the topic that ENRICO's README calls Dialer.
TOPICS = (
    *("bare", "calculator", "camera", "chat", "editor", "form", "gallery", "list", "login", "maps", "mediaplayer"),
    *("menu", "modal", "news", "other", "profile", "search", "settings", "terms", "tutorial"),
)
SEVERITIES = ("low", "medium", "high")
IMAGES = {"screenshot": ("screenshots", ".jpg"), "wireframe": ("wireframes", ".png")}  # folder and ending
SCREEN_ID = re.compile(r"0|[1-9][0-9]*")
SHOWN = 5  # missing files named in an error
OFFICIAL_CORRUPT = ("50105", "50109")  # screens that the official split leaves out


def image_path(raw: str, modality: str, sample_id: str) -> Path:
    """Return the file of a screen's screenshot or wireframe."""
    folder, ending = IMAGES[modality]
    return Path(raw) / folder / f"{sample_id}{ending}"


def read_topics(raw: str) -> pd.DataFrame:
    """Read design_topics.csv in the file's order: sample_id (the screen id as text) and topic.

    Raises:
        InputError: for a missing file or column, a row of another length, an id that is not a number or is in an
            earlier row too, or a topic that is not one of the 20.
    """
    path = Path(raw) / TOPICS_FILE
    table = _read(path, ["screen_id", "topic"], "download it from ENRICO's repository, or correct data.enrico.raw")
    _refuse(path, table, "screen_id", lambda ids: ~ids.str.fullmatch(SCREEN_ID), "is not a screen id such as 50245")
    _refuse(path, table, "screen_id", lambda ids: ids.duplicated(), "repeats an earlier value")
    unknown = f"is not one of ENRICO's topics; allowed: {', '.join(TOPICS)}"
    _refuse(path, table, "topic", lambda topics: ~topics.isin(TOPICS), unknown)
    return table.rename(columns={"screen_id": "sample_id"}).reset_index(drop=True)


def read_flawed(raw: str, *, only_high: bool) -> set[str]:
    """Return the ids of the screens that issues.csv lists, or of those with an issue of high severity.

    Raises:
        InputError: for a missing file or column, a row of another length, an id that is not a number, or an unknown
            severity.
    """
    path = Path(raw) / ISSUES_FILE
    remedy = "download it from ENRICO's repository, or set data.enrico.issues to keep"
    table = _read(path, ["screen_id", "severity"], remedy)
    _refuse(path, table, "screen_id", lambda ids: ~ids.str.fullmatch(SCREEN_ID), "is not a screen id such as 50245")
    unknown = f"is not one of {', '.join(SEVERITIES)}"
    _refuse(path, table, "severity", lambda names: ~names.isin(SEVERITIES), unknown)
    return set(table.loc[(table["severity"] == "high") | (not only_high), "screen_id"])


def having_images(raw: str, modality: str, sample_ids: list[str]) -> NDArray[np.bool_]:
    """Return which screens [N] have an image of a modality."""
    folder, ending = IMAGES[modality]
    there = {path.name for path in (Path(raw) / folder).glob(f"*{ending}")}
    return np.array([f"{sample_id}{ending}" in there for sample_id in sample_ids], bool)


def require_images(raw: str, modality: str, sample_ids: list[str]) -> None:
    """Look for the images of all screens.

    Raises:
        InputError: naming the first that are missing and how many there are.
    """
    folder, ending = IMAGES[modality]
    there = having_images(raw, modality, sample_ids)
    missing = [sample_id for sample_id, is_there in zip(sample_ids, there, strict=True) if not is_there]
    if missing:
        names = ", ".join(f"{sample_id}{ending}" for sample_id in missing[:SHOWN])
        more = ", …" if len(missing) > SHOWN else ""
        raise InputError(
            f"{Path(raw) / folder}: {len(missing)} of {len(sample_ids)} {modality}s are missing ({names}{more}): "
            f"unpack {folder}.zip there, list their screens under data.enrico.exclude, or keep them with "
            "data.enrico.incomplete"
        )


def _read(path: Path, columns: list[str], remedy: str) -> pd.DataFrame:
    """Read some columns of a CSV as text, indexed by line in the file."""
    if not path.is_file():
        raise InputError(f"{path} is missing: {remedy}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}): download it again") from error
    for column in columns:
        if header.count(column) > 1:
            raise InputError(f"{path} has column {column!r} twice: download it again")
        if column not in header:
            raise InputError(f"{path} has no column {column!r}; {nearest(column, header)}: download it again")
    for line, row in lines:
        if len(row) != len(header):
            raise InputError(
                f"{path} row {line} has {len(row)} values, the header {len(header)}: is the file complete? Download it "
                "again"
            )
    if not lines:
        raise InputError(f"{path} has no rows: download it again")
    return pd.DataFrame([row for _, row in lines], [line for line, _ in lines], header, dtype=str)[columns]


def _refuse(
    path: Path, table: pd.DataFrame, column: str, flag: Callable[["pd.Series[str]"], "pd.Series[bool]"], problem: str
) -> None:
    """Refuse the first flagged row, by its line; the message never quotes it."""
    flags = flag(table[column])
    if flags.any():
        raise InputError(f"{path} row {flags.idxmax()}: column {column!r} {problem}: correct it or download it again")
