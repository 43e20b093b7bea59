"""The raw tables of MIMIC-IV, read in place by DuckDB: as downloaded (.csv.gz), unpacked (.csv) or as .parquet.

Columns and types are those of MIMIC-IV 2.2 and 3.1 and of MIMIC-IV-Note 2.2 (mimic.mit.edu/docs/iv).
"""

import csv
import re
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd
import pyarrow.parquet
from tqdm import tqdm

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest_column, same_columns
from i2moe.contract.unpacking import check_unpacked, lines, open_text
from stages.datasets.mimic.settings import Settings

SUFFIXES = (".csv.gz", ".csv", ".parquet")
POLL_SECONDS = 0.2
VECTORS = 128  # of DuckDB's, 2,048 rows each, that are fetched at a time


class RawTable(NamedTuple):
    """A raw table: its place, the columns read from it with their types, and what to do where it is missing."""

    name: str
    columns: dict[str, str]
    remedy: str = "download MIMIC-IV from PhysioNet to this folder, or correct data.mimic.raw"


EVENTS = {"subject_id": "INTEGER", "hadm_id": "INTEGER", "itemid": "INTEGER", "charttime": "TIMESTAMP"}
VALUES = {"valuenum": "DOUBLE", "valueuom": "VARCHAR"}
TABLES = {
    "patients": RawTable(
        "hosp/patients",
        {"subject_id": "INTEGER", "anchor_age": "INTEGER", "anchor_year": "INTEGER", "dod": "DATE"},
    ),
    "admissions": RawTable(
        "hosp/admissions",
        {
            "subject_id": "INTEGER",
            "hadm_id": "INTEGER",
            "admittime": "TIMESTAMP",
            "dischtime": "TIMESTAMP",
            "deathtime": "TIMESTAMP",
            "hospital_expire_flag": "INTEGER",
        },
    ),
    "diagnoses_icd": RawTable(
        "hosp/diagnoses_icd",
        {"hadm_id": "INTEGER", "seq_num": "INTEGER", "icd_code": "VARCHAR", "icd_version": "INTEGER"},
    ),
    "labevents": RawTable("hosp/labevents", EVENTS | VALUES),
    "d_labitems": RawTable("hosp/d_labitems", {"itemid": "INTEGER", "label": "VARCHAR"}),
    "chartevents": RawTable(
        "icu/chartevents",
        EVENTS | VALUES,
        "download MIMIC-IV's icu module to this folder, or do without vitals: set data.mimic.lab.vitals to false",
    ),
    "d_items": RawTable("icu/d_items", {"itemid": "INTEGER", "label": "VARCHAR"}),
    "discharge": RawTable(
        "note/discharge",
        {"note_id": "VARCHAR", "hadm_id": "INTEGER", "charttime": "TIMESTAMP", "text": "VARCHAR"},
        "download MIMIC-IV-Note from PhysioNet to this folder, or do without notes: "
        "set data.mimic.modalities to [lab, code]",
    ),
}


@dataclass(frozen=True)
class Source:
    """A folder of raw tables and the DuckDB that reads them."""

    raw: Path
    connection: duckdb.DuckDBPyConnection

    def path(self, table: str) -> Path:
        """Return the file of a table.

        Raises:
            InputError: when there is none, saying what to do; when there are several.
        """
        stem = self.raw / TABLES[table].name
        found = [path for path in (stem.with_name(stem.name + suffix) for suffix in SUFFIXES) if path.is_file()]
        if not found:
            raise InputError(f"{stem}.csv.gz is missing (nor is there .csv or .parquet): {TABLES[table].remedy}")
        if len(found) > 1:
            raise InputError(f"{found[0]} and {found[1].name} are the same table twice: remove one")
        return found[0]

    def scan(self, table: str) -> str:
        """Return SQL that reads the needed columns of a table, with their declared types.

        Raises:
            InputError: for a missing table or column.
        """
        path = self.path(table)
        columns = TABLES[table].columns
        header = _columns(path)
        if (twice := same_columns(header)) or "" in header:
            raise InputError(f"{path}: {twice or 'a column has no name'}: is this the {table} table as downloaded?")
        for column in columns:
            if column not in header:
                raise InputError(
                    f"{path} has no column {column!r}; {nearest_column(column, header)} Is this the {table} table as "
                    "downloaded?"
                )
        quoted = _quoted(str(path))
        if path.suffix == ".parquet":
            casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns.items())
            return f"(SELECT {casts} FROM read_parquet('{quoted}'))"  # noqa: S608
        kinds = ", ".join(f"'{_quoted(name)}': '{columns.get(name, 'VARCHAR')}'" for name in header)
        return (
            f"(SELECT {', '.join(columns)} FROM read_csv('{quoted}', auto_detect = false, header = true, "  # noqa: S608
            f"delim = ',', quote = '\"', escape = '\"', nullstr = '', columns = {{{kinds}}}))"
        )

    def query(self, sql: str, table: str) -> duckdb.DuckDBPyConnection:
        """Run SQL that reads one raw table, with a progress bar.

        Raises:
            InputError: where the file cannot be read: its name, row and column, never its content.
        """
        bar = tqdm(total=100, desc=table, unit="%", mininterval=1, delay=2, dynamic_ncols=True)
        with ThreadPoolExecutor(1) as thread, bar:
            work = thread.submit(self.connection.execute, sql)
            try:
                while wait([work], POLL_SECONDS).not_done:
                    bar.update(max(0, round(self.connection.query_progress()) - bar.n))
            except KeyboardInterrupt:
                self.connection.interrupt()
                raise
        try:
            return work.result()
        except duckdb.Error as error:
            raise _explain(error, table, self.path(table)) from None  # DuckDB's message quotes the row

    def frame(self, sql: str, table: str) -> pd.DataFrame:
        """Return what SQL finds in one raw table, a part at a time.

        Raises:
            InputError: as `query`; for more rows than the file can hold.
        """
        result, size = self.query(sql, table), 0
        parts: list[pd.DataFrame] = []
        while not parts or len(parts[-1]):
            parts.append(result.fetch_df_chunk(VECTORS))
            size += int(parts[-1].memory_usage(deep=True).sum())
            check_unpacked(self.path(table), 3 * size)  # DuckDB holds some, and joining the parts takes as much again
        return pd.concat(parts[:-1] or parts, ignore_index=True)


def _quoted(text: str) -> str:
    """Return a text as SQL has it between quotes: a file's name or header ends no literal."""
    return text.replace("'", "''")


def require_tables(source: Source, settings: Settings) -> None:
    """Look for every table and column that the settings need, before the first one is read.

    Raises:
        InputError: for the first that is missing.
    """
    tables = ["patients", "admissions", "diagnoses_icd", "labevents", "d_labitems"]
    tables += ["chartevents", "d_items"] if settings.lab.vitals else []
    tables += ["discharge"] if "note" in settings.modalities else []
    for table in tables:
        source.scan(table)


def _explain(error: duckdb.Error, table: str, path: Path) -> Exception:
    """Turn DuckDB's complaint about a file into one line, without the patient data that it quotes."""
    message = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        rest = f", nor the rest into {tempfile.gettempdir()}: free some room there, set TMPDIR to a larger folder, or"
        return InputError(
            f"{path} does not fit into data.mimic.memory_limit{rest if 'offload' in message else ':'} raise it"
        )
    if "GZIP" in message:
        return InputError(f"{path} is not a complete gzip file: download it again")
    line = re.search(r"Line: (\d+)", message)
    where = f"{path} row {line[1]}" if line else str(path)
    if column := re.search(r'(?:converting column "|source column )(\w+)', message):
        kind = TABLES[table].columns[column[1]]
        return InputError(f"{where}: column {column[1]!r} holds something other than {kind}: download the file again")
    if isinstance(error, duckdb.DataError):
        return InputError(f"{where}: a column holds something other than {TABLES[table].columns}: download it again")
    if line or str(path) in message or path.suffix == ".parquet":
        return InputError(f"{where} is not a row of a {table} table: download the file again")
    return error


def _columns(path: Path) -> list[str]:
    """Return the names in a table's header."""
    try:
        if path.suffix == ".parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        with open_text(path, "utf-8") as stream:
            return next(csv.reader(lines(stream, path)), [])
    except InputError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, csv.Error, pyarrow.ArrowException) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}): download it again") from error


@contextmanager
def open_source(raw: str, memory_limit: str) -> Iterator[Source]:
    """Open a folder of raw tables; what exceeds the memory limit is spilled to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="i2moe-mimic-") as spill:
        connection = duckdb.connect(config={"temp_directory": spill, "memory_limit": memory_limit})
        try:
            connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")  # shown by tqdm
            # DuckDB takes a CSV of unknown length for a short one, and would hold it in memory to join it. Left as they
            # are written, joins stream the raw table past what is to its right.
            connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
            yield Source(Path(raw), connection)
        finally:
            connection.close()
