"""Which reading of a trained model finds a planted interaction: `python -m benchmarks.planted`.

Data are synthetic and drawn in memory (`stages.datasets.planted.generators`); models are those of params.yaml, trained
by the library's own loop. Every case is one process on one thread.
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from tqdm import tqdm

from benchmarks.planted import documents
from benchmarks.planted.bars import READINGS, bars, found_share
from benchmarks.planted.cases import protocol, quick
from benchmarks.planted.measures import run
from benchmarks.planted.null import DATA, PAGES, page

CASES, NULL = (Path(__file__).parents[1] / name for name in ("planted.csv", "planted_null.csv"))


def main(
    *,
    quickly: Annotated[bool, typer.Option("--quick", help="one small model of each role, and write nothing")] = False,
    null: Annotated[bool, typer.Option("--null", help="pages about labels of nothing instead")] = False,
    fill: Annotated[bool, typer.Option("--fill", help="only write the documents, from results that are there")] = False,
    jobs: Annotated[int, typer.Option(help="processes at once")] = os.cpu_count() or 1,
) -> None:
    """Measure, write the results (CSV), fill the documents with them, and print the bars."""
    if quickly:
        table = pd.DataFrame(in_parallel(run, [(case,) for case in quick()], jobs))
        for reading in READINGS:
            print(f"{reading}: finds the planted role in {found_share(table, reading) or 'no case'}")
        return
    if null:
        pages = in_parallel(page, [(data, seed) for seed in range(PAGES) for data in DATA], jobs)
        pd.DataFrame(pages).sort_values(["data", "seed"]).to_csv(NULL, index=False, lineterminator="\n")
    elif not fill:
        cases = in_parallel(run, [(case,) for case in protocol()], jobs)
        pd.DataFrame(cases).round(4).to_csv(CASES, index=False, lineterminator="\n")
    table = pd.read_csv(CASES) if CASES.exists() else None
    pages_table = pd.read_csv(NULL) if NULL.exists() else None
    if table is not None:
        documents.fill(table, pages_table)
        print(documents.markdown(documents.bars_table(bars(table))))
    if pages_table is not None:
        print(documents.null_lines(pages_table))


def in_parallel(
    function: Callable[..., dict[str, Any]], calls: list[tuple[Any, ...]], jobs: int
) -> list[dict[str, Any]]:
    """Call a function in processes of one thread each; return the results in the order of the calls."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that start now
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        started = [pool.submit(function, *call) for call in calls]
        for done in tqdm(as_completed(started), total=len(calls), mininterval=1, dynamic_ncols=True, unit="case"):
            done.result()
    return [future.result() for future in started]


if __name__ == "__main__":
    typer.run(main)
