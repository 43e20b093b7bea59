"""The parsers of users' own tables and of MIMIC-IV's, and that of params.yaml."""

import gzip
import io
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.fuzz.parsers import Parser

ROWS = 30
EVENTS = 40  # lines of a table of events of MIMIC-IV
PARAMS = """
run: {datasets: [tiny], models: [mult], seeds: [0], max_epochs: null, max_batch_size: null}
split: {train: 0.6, validation: 0.2, test: 0.2, seed: 0}
data:
  tables:
    tiny: {raw: own.csv, id: sample, label: outcome, task: binary, modalities: {a: {prefix: a}, b: {regex: "b.*"}}}
train: {accelerator: cpu, devices: 1, num_nodes: 1, strategy: auto, precision: 32-true, compile: false,
        accumulate_grad_batches: 1, num_workers: 0}
explain: {agreement_tolerance: null, tokens: {samples: 5, top: 2, draws: 2, tolerance: 0.1}}
models:
  defaults:
    encoder: mlp
    encoder_dim: 8
    num_patches: 2
    hidden_dim: 32
    dropout: 0.5
    fusion: {method: mult, num_layers: 1, num_heads: 4}
    interaction: {loss_weight: 0.5}
    reweighting: {hidden_dim: 8, num_layers: 2, temperature: 1.0}
    learning_rate: 1e-3
    batch_size: 8
    epochs: 15
  shared: {wide: {base: mult, hidden_dim: 64}}
  tiny:
    mult: {}
"""


def read_params() -> None:
    """Check all of params.yaml."""
    from stages.settings.params import load_params

    load_params()


def own_tables(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Return a table with label and group, one of scores, and one of measurements."""
    generator = np.random.default_rng(seed)
    ids = [f"p{row:02d}" for row in range(ROWS)]
    people = pd.DataFrame({"sample": ids, "site": [row // 2 for row in range(ROWS)]})
    people["age"] = generator.integers(20, 90, ROWS)
    people["weight"] = generator.normal(70, 9, ROWS).round(1)
    people.loc[3, "weight"] = None
    people["sex"] = np.where(generator.random(ROWS) < 0.5, "f", "m")  # noqa: PLR2004
    people["note"] = np.where(generator.random(ROWS) < 0.5, "calm and well", "loud and ill")  # noqa: PLR2004
    people["outcome"] = ["no", "yes"] * (ROWS // 2)
    scores = pd.DataFrame({"sample": ids, "score_a": generator.normal(size=ROWS), "score_b": range(ROWS)})
    steps = pd.DataFrame(
        {"sample": np.repeat(ids, 2), "day": [1, 2] * ROWS, "pulse": generator.normal(60, 9, 2 * ROWS)}
    )
    return {"people": people, "scores": scores, "steps": steps}


def write_own(kind: str) -> None:
    """Write the tables as CSV, TSV and compressed, or as Parquet; or arrays beside a CSV; and the settings."""
    tables = own_tables()
    endings = (
        {"people": "csv", "scores": "tsv.gz", "steps": "csv"} if kind == "csv" else dict.fromkeys(tables, "parquet")
    )
    files = {name: f"{name}.{ending}" for name, ending in endings.items()}
    modalities: dict[str, Any] = {
        "person": {"columns": ["age", "weight", "sex"]},
        "score": {"prefix": "score"},
        "note": {"text": {"column": "note", "dim": 2}},
        "pulse": {"sequence": {"file": files["steps"], "id": "sample", "time": "day"}},
    }
    if kind == "npy":
        files = {"people": "people.csv", "scores": "scores.npy"}
        modalities = {"person": modalities["person"], "score": {"file": "scores.npy"}} | _write_arrays()
    Path("raw").mkdir()
    for name, file in files.items():
        _write_table(Path("raw") / file, tables[name])
    for path in Path().glob("*.npy"):
        path.rename(Path("raw") / path.name)
    params: dict[str, Any] = {
        "raw": "raw",
        "files": [files["people"], files["scores"]],
        "id": "sample",
        "label": "outcome",
    }
    params |= {"task": "binary", "group": "site", "licence": "open", "modalities": modalities}
    split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
    Path("params.yaml").write_text(json.dumps({"data": {"tables": {"tiny": params}}, "split": split}))


def _write_arrays() -> dict[str, Any]:
    """Write vectors, maps and series; return their modalities."""
    generator = np.random.default_rng(1)
    for name, shape in (("vectors", (3,)), ("maps", (2, 2, 2)), ("series", (4, 2))):
        np.save(name, generator.normal(size=(ROWS, *shape)).astype(np.float32))
    np.save("lengths", generator.integers(1, 5, ROWS))
    series = {"sequence": {"file": "series.npy", "lengths": "lengths.npy"}}
    return {"vectors": {"array": {"file": "vectors.npy"}}, "maps": {"array": {"file": "maps.npy"}}, "series": series}


def _write_table(path: Path, table: pd.DataFrame) -> None:
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False, compression=None)
    elif path.suffix == ".npy":
        np.save(path, table[["score_a", "score_b"]].to_numpy())
    else:
        text = table.to_csv(index=False, sep="\t" if ".tsv" in path.name else ",").encode()
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def read_own() -> None:
    """Run the stages on the tables: cohort and features."""
    from stages.datasets.tables.cohort import cohort
    from stages.datasets.tables.features import features

    cohort("tiny")
    features("tiny")


def write_mimic(kind: str) -> None:
    """Write MIMIC-IV's tables of a few patients as CSV, one compressed; or as Parquet."""
    from stages.datasets.mimic.synthetic.synthesize import write_tables

    write_tables(Path("all"), 8, seed=0)
    for path in sorted(Path("all").glob("*/*.csv.gz")):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        is_long = path.name.startswith(("labevents", "chartevents"))
        content = b"".join(lines[:EVENTS] if is_long else lines)
        target = Path("raw") / path.parent.name / path.name.removesuffix(".csv.gz")
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "parquet":
            pd.read_csv(io.BytesIO(content)).to_parquet(target.with_suffix(".parquet"), index=False)
        elif path.name.startswith("lab"):
            target.with_suffix(".csv.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            target.with_suffix(".csv").write_bytes(content)
    shutil.rmtree("all")


def read_mimic() -> None:
    """Read measurements, admissions and notes."""
    from stages.datasets.mimic.cohort import read_admissions
    from stages.datasets.mimic.measurements import measure
    from stages.datasets.mimic.settings import Settings
    from stages.datasets.mimic.source import open_source

    settings = Settings.model_validate(_mimic_settings())
    measure(settings, Path("interim"))
    with open_source(settings.raw, settings.memory_limit) as source:
        read_admissions(source, settings, Path("interim"))


def _mimic_settings() -> dict[str, Any]:
    from stages.shared.base.params import read_params as read

    block: dict[str, Any] = read(Path(__file__).parents[2] / "params.yaml")["data"]["mimic"]
    return block | {"raw": "raw", "memory_limit": "100MB"}


PARSERS = [
    Parser(
        "params.yaml",
        lambda: Path("params.yaml").write_text(PARAMS),
        read_params,
        ("params.yaml",),
        ("models.", "run."),
    ),
    Parser("CSV and TSV (tables)", partial(write_own, "csv"), read_own, ("raw/*",), ("raw", "tiny")),
    Parser("Parquet (tables)", partial(write_own, "parquet"), read_own, ("raw/*",), ("raw", "tiny")),
    Parser("NPY (tables)", partial(write_own, "npy"), read_own, ("raw/*.npy",), ("raw", "tiny")),
    Parser("CSV (MIMIC-IV)", partial(write_mimic, "csv"), read_mimic, ("raw/*/*",), ("raw",)),
    Parser("Parquet (MIMIC-IV)", partial(write_mimic, "parquet"), read_mimic, ("raw/*/*",), ("raw",)),
]
