"""Run the protocol and write the tables of docs/sealed.md: `python -m benchmarks.sealed --jobs 16`."""

import multiprocessing
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from tqdm import tqdm

from benchmarks.sealed.cases import protocol, quick
from benchmarks.sealed.measures import measure
from benchmarks.sealed.steps import step_times
from benchmarks.sealed.tables import TABLES, fill

RESULTS = Path("benchmarks/sealed/results.csv")
PAPER = Path("docs/sealed.md")


def main(
    jobs: Annotated[int, typer.Option(help="processes, of one thread each")] = 2,
    *,
    is_quick: Annotated[bool, typer.Option("--quick", help="one small run of each role; writes nothing")] = False,
) -> None:
    """Train and measure every case; write benchmarks/sealed/results.csv and the tables in docs/sealed.md."""
    start = time.perf_counter()
    cases = quick() if is_quick else protocol()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        results = pd.DataFrame(tqdm(pool.imap_unordered(measure, cases, chunksize=1), total=len(cases)))
    results = results.sort_values(["data", "model", "experts", "classes", "modalities", "seed"], ignore_index=True)
    if is_quick:
        print(TABLES["pure"](results))
        return
    torch.set_num_threads(1)
    steps = step_times()
    results.round(5).to_csv(RESULTS, index=False)
    tables = {name: make(results) for name, make in TABLES.items()} | {"steps": steps}
    PAPER.write_text(fill(PAPER.read_text(), tables))
    print("\n\n".join(tables.values()))
    print(
        f"\n{len(cases)} runs in {time.perf_counter() - start:.0f} s with {jobs} processes, torch {torch.__version__}"
    )


if __name__ == "__main__":
    typer.run(main)
