"""Mutations of Parquet files that know the format: other columns, types, values and rows, written anew."""

import datetime as dt
import io
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# Values of a column: of every type that a reader may not expect, and numbers at which it may break.
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63 - 1, 0.5, float("nan"), float("inf"), 1e308, "", "a", "é", "nan", "9" * 25),
    *(b"\xff\xfe", "\x00", "test", "a" * 5000, [1, 2], [], {"a": 1}, dt.date(1, 1, 1), dt.timedelta(1)),
)
CODECS = ("none", "snappy", "gzip", "zstd")


def mutate_parquet(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001 (of all structured mutations)
    """Change a column, or the rows.

    Raises:
        ValueError: for what an earlier mutation broke.
    """
    try:
        table = pq.read_table(io.BytesIO(content))
        stream = io.BytesIO()
        pq.write_table(random.choice(EDITS)(table, random), stream, compression=random.choice(CODECS))
    except (pa.ArrowException, OSError, LookupError, OverflowError) as error:
        raise ValueError from error
    return stream.getvalue()


def _drop(table: pa.Table, random: Random) -> pa.Table:
    return table.drop_columns([random.choice(table.column_names)])


def _rename(table: pa.Table, random: Random) -> pa.Table:
    """Give a column another name, or that of another column."""
    names, place = list(table.column_names), random.randrange(table.num_columns)
    names[place] = random.choice((random.choice(names), "", "é", names[place] + "x", names[place].upper()))
    return table.rename_columns(names)


def _fill(table: pa.Table, random: Random) -> pa.Table:
    """Give all rows of a column the same value."""
    place = random.randrange(table.num_columns)
    column = pa.array([random.choice(VALUES)] * table.num_rows)
    return table.set_column(place, table.column_names[place], column)


def _edit(table: pa.Table, random: Random) -> pa.Table:
    """Change a cell, to a value of its type or to none."""
    place, row = random.randrange(table.num_columns), random.randrange(max(1, table.num_rows))
    values = table.column(place).to_pylist()
    values[row] = random.choice((None, *(own for own in VALUES if isinstance(own, type(values[row])))))
    column = pa.array(values, table.column(place).type, safe=False)
    return table.set_column(place, table.column_names[place], column)


def _retype(table: pa.Table, random: Random) -> pa.Table:
    """Let a column have another type, such as text in place of numbers."""
    place = random.randrange(table.num_columns)
    numbers = (pa.float16(), pa.float32(), pa.int8(), pa.uint64(), pa.bool_())
    texts = (pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string()))
    column = table.column(place).cast(random.choice((*numbers, *texts)), safe=False)
    return table.set_column(place, table.column_names[place], column)


def _select(table: pa.Table, random: Random) -> pa.Table:
    """Leave rows out, repeat them, or change their order."""
    rows = list(range(table.num_rows))
    random.shuffle(rows)
    return table.take(random.choice(([], rows[:1], rows[:-1], rows, [*rows, *rows], sorted(rows[:-1]))))


def _unnote(table: pa.Table, random: Random) -> pa.Table:
    """Take away, or break, what pandas noted of the table."""
    return table.replace_schema_metadata(random.choice((None, {b"pandas": b"{}"}, {b"pandas": b"\xff"}, {b"a": b"b"})))


EDITS: tuple[Callable[[pa.Table, Random], pa.Table], ...] = (_drop, _rename, _fill, _edit, _retype, _select, _unnote)
