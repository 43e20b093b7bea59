"""Measure the way from a large table to training, on synthetic numbers: `python -m benchmarks.rows` (Linux only).

A CSV of 100,000 rows of 50 numbers goes through the stages, each in a process of its own, as `dvc repro` runs them;
then come a few training steps of i2moe-mult of the default size, in batches of 512. The memory of a stage is its peak
less that of the same stage on a file of 1,000 rows: what is left out are Python and the libraries, and of training what
a step takes whatever the file.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import typer
from ruamel.yaml import YAML

from benchmarks.rows.steps import DATASET, MODEL
from i2moe.base.errors import InputError
from stages.shared.base.command import run

BLOCK = {
    "raw": "rows.csv",
    "id": "sample",
    "label": "label",
    "task": "binary",
    "licence": "open",
    "modalities": {"first": {"prefix": "first_"}, "second": {"prefix": "second_"}},
}
STAGES = {
    "settings": ["stages.settings"],
    "cohort": ["stages.datasets.tables.cohort", DATASET],
    "features": ["stages.datasets.tables.features", DATASET],
    "training steps": ["benchmarks.rows.steps", "--no-loop"],
}
FEW = 1000  # rows, of which train has a whole batch
PROGRAM = """
import runpy, sys
from pathlib import Path
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""


class Usage(NamedTuple):
    """What a process took."""

    seconds: float
    peak: float  # MB
    last: str  # line that it printed


def write_rows(folder: Path, rows: int, columns: int) -> float:
    """Write a synthetic table whose label is an exclusive or of two signs, and settings; return the table's MB."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, columns)).round(4)
    names = [f"{'first' if 2 * column < columns else 'second'}_{column}" for column in range(columns)]
    table = pd.DataFrame(values, columns=names)
    table.insert(0, "sample", [f"s{row:06d}" for row in range(rows)])
    table["label"] = np.where(values[:, 0] * values[:, -1] > 0, "same", "other")
    folder.mkdir()
    table.to_csv(folder / "rows.csv", index=False)
    yaml = YAML()
    params = yaml.load(Path("params.yaml").read_text())
    params["data"]["tables"][DATASET] = BLOCK
    params["models"][DATASET] = {"defaults": {"batch_size": 512}}
    params["run"] |= {"datasets": [DATASET], "models": [MODEL], "seeds": [0]}
    with (folder / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    return (folder / "rows.csv").stat().st_size / 1e6


def measured(folder: Path, command: list[str]) -> Usage:
    """Run a module in a folder, in a process of its own with one thread.

    Raises:
        InputError: with what it said, where it fails.
    """
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    words = [sys.executable, "-c", PROGRAM, *command]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    seconds = time.perf_counter() - start
    if done.returncode:
        raise InputError(f"{' '.join(command)} failed: {done.stderr}")
    *_, last, peak = ["", *done.stdout.splitlines()]
    return Usage(seconds, int(peak) * 1024 / 1e6, last)


def rows(
    samples: Annotated[int, typer.Option(help="rows of the table")] = 100_000,
    columns: Annotated[int, typer.Option(help="numbers in each row")] = 50,
    pairs: Annotated[int, typer.Option(help="timed training steps, ours and the loop's")] = 3,
) -> None:
    """Print seconds and memory of each stage, and of a training step against the plain loop."""
    with tempfile.TemporaryDirectory(prefix="i2moe-rows-") as name:
        large, small = Path(name) / "large", Path(name) / "small"
        size = write_rows(large, samples, columns)
        write_rows(small, FEW, columns)
        print(f"{samples} rows of {columns} numbers (synthetic), a CSV of {size:.1f} MB\n")
        print("| stage | seconds | peak MB | above a small file, MB | times the file |\n|---|---|---|---|---|")
        for stage, command in STAGES.items():
            base, own = measured(small, command), measured(large, command)
            above = own.peak - base.peak
            print(f"| {stage} | {own.seconds:.1f} | {own.peak:.0f} | {above:.0f} | {above / size:.1f} |", flush=True)
        ours, loop = map(float, measured(large, ["benchmarks.rows.steps", "--pairs", str(pairs)]).last.split())
        print(f"\na training step: {ours:.2f} s, plain loop {loop:.2f} s, ratio {loop / ours:.2f}")


if __name__ == "__main__":
    run(rows)
