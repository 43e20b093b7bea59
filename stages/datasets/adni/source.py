"""ADNI's tables as LONI hands them out: found by pattern whatever the download date, read as text, keyed by RID.

Column names and codes are those of ADNI's data dictionary (DATADIC). Phases of the study spell column names in
different cases; here they are upper case.
"""

import csv
import re
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest_column, same_columns
from i2moe.contract.unpacking import MOST_TABLE, check_gzip, lines, open_text

CLASSES = ["CN", "MCI", "Dementia"]
DIAGNOSES = {1.0: 0, 2.0: 1, 3.0: 2}  # DXSUM's DIAGNOSIS: 1 CN, 2 MCI, 3 Dementia
PTID = re.compile(r"^\d{3}_S_(\d{4,5})$")
MISSING = ("", "NA", "NaN", "-4", "-4.0", "-1", "-1.0")  # -4: not asked or not applicable, -1: confirmed missing
DATES = ("VISDATE", "EXAMDATE")  # a table has one of them, or both: the first that it has
# Names that differ from the table's own name and what LONI adds before and after it.
SPELLINGS = {"BLENNOWPLASMANFL": "BLENNOWPLASMANFL(?:LONG)?"}
OPTIONAL = ("BLENNOWPLASMANFL",)


@dataclass(frozen=True)
class Table:
    """A raw table: its name, where it is, and its rows as text, NaN where missing, indexed by line in the file."""

    name: str
    path: Path
    rows: pd.DataFrame

    def require(self, columns: list[str]) -> None:
        """Refuse the table when a column is missing.

        Raises:
            InputError: naming the column and the nearest name.
        """
        for column in columns:
            if column not in self.rows:
                raise InputError(
                    f"{self.path} has no column {column!r}; {nearest_column(column, self.rows.columns)} Is this the "
                    "table as downloaded?"
                )

    def rid(self) -> "pd.Series[int]":
        """Return each row's roster id, the number at the end of a PTID.

        Raises:
            InputError: for a row without one, or whose PTID has another.
        """
        if "RID" not in self.rows:
            self.require(["PTID"])
            return self._rid_of_ptid().astype(int)
        numbers = self.numbers("RID")
        self.refuse(numbers.isna(), "RID", "is empty")
        if "PTID" in self.rows:
            known = self.rows["PTID"].notna()
            self.refuse(known & (self._rid_of_ptid() != numbers), "PTID", "does not end in the row's RID")
        return numbers.astype(int)

    def _rid_of_ptid(self) -> "pd.Series[float]":
        found = self.rows["PTID"].str.extract(PTID)[0]
        self.refuse(found.isna() & self.rows["PTID"].notna(), "PTID", "is not an id such as 011_S_0002")
        return found.astype(float)

    def numbers(self, column: str) -> "pd.Series[float]":
        """Return a column as numbers; of `<200` and `>1700`, an assay's limits, the limit.

        Raises:
            InputError: for anything else that is not a number.
        """
        text = self.rows[column].str.strip().str.lstrip("<>")
        values = pd.to_numeric(text, errors="coerce")
        self.refuse(text.notna() & ~np.isfinite(values), column, "holds something other than a number")
        return values

    def dates(self) -> "pd.Series[Any]":
        """Return the date of each row's visit, NaT where there is none.

        Raises:
            InputError: when the table has no such column, or a value is not a date.
        """
        column = next((name for name in DATES if name in self.rows), None)
        if column is None:
            raise InputError(
                f"{self.path} has neither column {' nor '.join(DATES)}: download it again, or leave it out of the "
                "tables of data.adni"
            )
        dates = pd.to_datetime(self.rows[column], errors="coerce", format="mixed")
        self.refuse(self.rows[column].notna() & dates.isna(), column, "is not a date")
        return dates

    def refuse(self, flags: "pd.Series[bool]", column: str, problem: str) -> None:
        """Refuse the table when a row is flagged; the message names the row, never its content.

        Raises:
            InputError: for the first flagged row.
        """
        if flags.any():
            row = self.rows.index[int(np.flatnonzero(flags)[0])]
            raise InputError(
                f"{self.path} row {row}: column {column!r} {problem}: correct it or download the file again"
            )


def files_of(raw: Path, name: str) -> list[Path]:
    """Return the files that are a table, whatever day they were downloaded."""
    pattern = re.compile(rf"^(?:All_Subjects_|ADNI_)?{SPELLINGS.get(name, name)}(?:_.*)?\.csv(?:\.gz)?$")
    return sorted(path for path in raw.iterdir() if pattern.match(path.name))


def find_table(raw: Path, name: str) -> Path | None:
    """Return the file of a table, or None where an optional table is not there.

    Raises:
        InputError: when a needed table is missing; when several files match, listing them.
    """
    found = files_of(raw, name)
    if len(found) > 1:
        raise InputError(f"{raw}: {', '.join(path.name for path in found)} are all {name}: leave one of them there")
    if not found and name not in OPTIONAL:
        raise InputError(
            f"{raw / name}_<date>.csv is missing: download the table {name} from LONI to this folder, or correct "
            "data.adni.raw"
        )
    return found[0] if found else None


def read_table(name: str, path: Path) -> Table:
    """Read a whole table.

    Raises:
        InputError: for a file that cannot be read, an empty one, a repeated column, a row of another length or longer
            than any table's, or one that unpacks to far more than it has.
    """
    try:
        check_gzip(path, MOST_TABLE // 2)  # texts of Python's, several times as large as the file's
        with open_text(path, "utf-8-sig", "replace") as stream:
            reader = csv.reader(lines(stream, path), strict=True)
            header = [name.strip().upper() for name in next(reader, [])]
            places, columns = _columns(path, reader, len(header))
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}): download it again") from error
    if (twice := same_columns(header)) or not places:
        raise InputError(f"{path}: {twice or 'it has no rows'}: download it again")
    table = pd.DataFrame(dict(zip(header, columns, strict=True)), index=pd.Index(places, name="row"), dtype=object)
    return Table(name, path, table.mask(table.isin(MISSING)))


def _columns(path: Path, reader: Any, width: int) -> tuple["array[int]", list[list[str]]]:  # noqa: ANN401 (csv's reader)
    """Return the line that each row begins on, and the columns, in which texts that are alike are one."""
    places, columns, known = array("q"), [list[str]() for _ in range(width)], dict[str, str]()
    line = reader.line_num + 1
    for row in reader:
        if len(row) != width:
            raise InputError(
                f"{path} row {line} has {len(row)} values, the header {width}: is the file complete? Download it again"
            )
        places.append(line)
        for column, text in zip(columns, row, strict=True):
            column.append(known.setdefault(text, text))
        line = reader.line_num + 1
    return places, columns


def load_table(raw: str, name: str) -> Table | None:
    """Find and read a table; None where an optional one is not there."""
    folder = Path(raw)
    if not folder.is_dir():
        raise InputError(f"{raw} is not a folder: put ADNI's files there, or correct data.adni.raw")
    path = find_table(folder, name)
    return None if path is None else read_table(name, path)


def needed_table(raw: str, name: str) -> Table:
    """Find and read a table that is not optional."""
    table = load_table(raw, name)
    if table is None:
        raise InputError(f"{raw}: the table {name} is missing: download it from LONI to this folder")
    return table
