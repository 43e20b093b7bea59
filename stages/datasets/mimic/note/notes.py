"""The discharge notes of visits, as the raw table has them."""

from collections.abc import Iterator

from tqdm import tqdm

from stages.datasets.mimic.sequences import Visits
from stages.datasets.mimic.source import Source

NOTES_AT_ONCE = 500


def load_notes(source: Source, visits: Visits) -> None:
    """Put the note of each visit into DuckDB, the latest where a visit has several; one pass over the raw table."""
    source.connection.register("visits", visits.table().assign(is_train=visits.is_train))
    source.query(
        f"""
        CREATE TEMP TABLE notes AS SELECT visit, is_train, note_id, charttime, text
        FROM {source.scan("discharge")} JOIN visits USING (hadm_id) WHERE text IS NOT NULL
        """,  # noqa: S608
        "discharge",
    )


def stream(source: Source, condition: str) -> Iterator[tuple[list[int], list[str]]]:
    """Yield the visits and texts of the notes that meet an SQL condition, some at a time, in order of visit."""
    chosen = f"SELECT arg_max(note_id, (charttime, note_id)) FROM notes WHERE {condition} GROUP BY visit"  # noqa: S608
    total = len(source.connection.execute(chosen).fetchall())
    rows = source.connection.execute(
        f"SELECT visit, text FROM notes WHERE note_id IN ({chosen}) ORDER BY visit"  # noqa: S608
    )
    with tqdm(total=total, desc="notes", unit="note", mininterval=1, delay=2, dynamic_ncols=True) as bar:
        while block := rows.fetchmany(NOTES_AT_ONCE):
            yield [visit for visit, _ in block], [text for _, text in block]
            bar.update(len(block))
