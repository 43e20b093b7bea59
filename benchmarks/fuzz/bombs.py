"""Small files that unpack to a gigabyte and more: `python -m benchmarks.fuzz.bombs` prints what each reader takes.

Each is read in a child process that has read a good file of its format before; memory is what it takes besides.
"""

import gzip
import io
import multiprocessing
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import typer
from tqdm import tqdm

from benchmarks.fuzz import contract, raw, tables, worker
from benchmarks.fuzz.parsers import Parser

BLOCK, BLOCKS = 10**7, 100  # bytes of each of the repeated parts, and how many
GIGABYTE = BLOCK * BLOCKS / 1e6  # in MB
VECTORS = b"3000000 300\n"
PATIENTS = b"subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n"
LABEVENTS = (
    b"labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,valuenum,valueuom\n"
)
LABEVENT = b"1,10000007,20000016,1,50912,,2150-01-01 00:00:00,,1,1,mg/dL\n"
HEADER = (
    "| file | size, MB | unpacked, MB | ends | seconds | most memory, MB | of what is allowed |\n" + "|---" * 7 + "|"
)


class Bomb(NamedTuple):
    """A file that is small and unpacks to much."""

    name: str
    write: Callable[[], object]  # good files
    plant: Callable[[], Path]  # the bomb in place of one of them
    read: Callable[[], object]
    unpacked: float  # MB


def gzipped(path: str, head: bytes, part: bytes) -> Path:
    """Write a beginning and a gigabyte of parts that are all the same."""
    block = part * (BLOCK // len(part))
    with gzip.open(path, "wb") as stream:
        stream.write(head)
        for _ in range(BLOCKS):
            stream.write(block)
    return Path(path)


def zipped(path: str, member: str, head: bytes = b"") -> Path:
    """Write an archive of one member, a gigabyte of zeros after a beginning."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(member, "w") as stream:
        stream.write(head)
        for _ in range(BLOCKS):
            stream.write(bytes(BLOCK))
    return Path(path)


def npz(path: str) -> Path:
    """Write an NPZ of one array."""
    head = io.BytesIO()
    size = BLOCK * BLOCKS // 8
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (size,)})
    return zipped(path, "a.npy", head.getvalue())


def checkpoint(path: str) -> Path:
    """Write what PyTorch saves, packed."""
    import torch

    torch.save({"a": torch.zeros(BLOCK * BLOCKS // 4)}, "whole")
    with zipfile.ZipFile("whole") as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info in whole.infolist():
            with whole.open(info) as source, archive.open(info.filename, "w") as target:
                while block := source.read(BLOCK):
                    target.write(block)
    Path("whole").unlink()
    return Path(path)


def volume(path: str) -> Path:
    """Write an atlas of a thousand million voxels."""
    from nibabel.nifti1 import Nifti1Header

    header = Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((1000, 1000, 1000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return gzipped(path, header.binaryblock + bytes(4), b"\0")


def parquet(path: str, columns: Mapping[str, object], groups: int) -> Path:
    """Write the same rows again and again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(columns)
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(groups):
            writer.write_table(table, row_group_size=table.num_rows)
    return Path(path)


def repeated_ids() -> Path:
    """Write movies whose ids are one text that is stored once and meant often."""
    import h5py

    path, number = Path("multimodal_imdb.hdf5"), 1000
    with h5py.File(path, "w") as file:
        file["features"] = np.zeros((number, 3), "f4")
        file["vgg_features"] = np.zeros((number, 5), "f4")
        file["genres"] = np.zeros((number, 2), "i8")
        ids = file.create_dataset("imdb_ids", (number,), dtype=h5py.string_dtype())
        ids[:] = ["x" * 10**6, *["y"] * (number - 1)]
        place = ids.id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 16 * number] = content[place : place + 16] * number
    path.write_bytes(content)
    return path


def picture(path: str, mode: str, side: int) -> Path:
    """Write a square of one colour."""
    from PIL import Image

    Image.new(mode, (side, side)).save(path)
    return Path(path)


def write_whole_table() -> None:
    """Write a table of users' own."""
    pd.DataFrame({"sample": ["a"], "b": [1]}).to_csv("own.csv.gz", index=False)
    pd.DataFrame({"sample": ["a"], "b": [1]}).to_parquet("own.parquet")


def read_whole_table(name: str) -> None:
    """Read one file of users' own."""
    from stages.datasets.tables.settings import TableParams
    from stages.datasets.tables.source import read_table

    about = {"raw": "own.csv", "id": "sample", "label": "b", "task": "binary", "modalities": {"a": {"prefix": "a"}}}
    read_table(Path(name), TableParams.model_validate(about), ["sample"])


def read_patients() -> None:
    """Read MIMIC-IV's patients as the cohort stage does."""
    from stages.datasets.mimic.source import open_source

    with open_source("raw", "100MB") as source:
        source.frame(f"FROM {source.scan('patients')}", "patients")


def read_atlas() -> None:
    """Read the atlas alone."""
    from stages.datasets.adni.image.maps import read_grid
    from stages.datasets.adni.settings import ImageSettings

    read_grid(".", ImageSettings(atlas="atlas.nii.gz", grey_matter=150, downsample=2, resample=False))


def read_json() -> None:
    """Read any JSON."""
    from i2moe.contract.reading import read_json as read

    read(Path("own.json"), "again")


def read_weights() -> None:
    """Read a file of weights."""
    from i2moe.inference import read_tensors

    read_tensors(Path("own.ckpt"))


def write_weights() -> None:
    """Write a file of weights."""
    import torch

    torch.save({"a": torch.zeros(3)}, "own.ckpt")


def of_mimic(table: str, head: bytes, row: bytes) -> Path:
    """Write a table of MIMIC-IV."""
    for path in Path("raw").glob(f"{table}.*"):
        path.unlink()
    return gzipped(f"raw/{table}.csv.gz", head, row)


def json_lists() -> Path:
    """Write a list of nothing but empty lists."""
    Path("own.json").write_text(f"[{'[],' * (2 * BLOCK)}[]]")
    return Path("own.json")


def write_mimic() -> None:
    """Write MIMIC-IV's tables."""
    tables.write_mimic("csv")


def of_adni(head: bytes, part: bytes) -> Path:
    """Write a table of ADNI in place of another."""
    Path("PTDEMOG_09May2024.csv").unlink()
    return gzipped("PTDEMOG_09May2024.csv.gz", head, part)


def patients_parquet() -> Path:
    """Write MIMIC-IV's patients as Parquet."""
    Path("raw/hosp/patients.csv").unlink()
    ones = np.ones(BLOCK, np.int32)
    columns = {"subject_id": ones, "anchor_age": ones, "anchor_year": ones, "dod": np.zeros(BLOCK, "datetime64[D]")}
    return parquet("raw/hosp/patients.parquet", columns, 6)


BOMBS = [
    Bomb(
        "CSV (tables), rows",
        write_whole_table,
        lambda: gzipped("own.csv.gz", b"sample,b\n", b"1,2\n"),
        lambda: read_whole_table("own.csv.gz"),
        GIGABYTE,
    ),
    Bomb(
        "CSV (tables), one line",
        write_whole_table,
        lambda: gzipped("own.csv.gz", b"sample,b\n", b"0"),
        lambda: read_whole_table("own.csv.gz"),
        GIGABYTE,
    ),
    Bomb(
        "CSV (tables), one header",
        write_whole_table,
        lambda: gzipped("own.csv.gz", b"sample,b", b","),
        lambda: read_whole_table("own.csv.gz"),
        GIGABYTE,
    ),
    Bomb(
        "Parquet (tables), one number",
        write_whole_table,
        lambda: parquet("own.parquet", {"a": np.zeros(BLOCK)}, 20),
        lambda: read_whole_table("own.parquet"),
        20 * 8 * BLOCK / 1e6,
    ),
    Bomb(
        "Parquet (tables), one text",
        write_whole_table,
        lambda: parquet("own.parquet", {"a": ["x" * 10**6] * 1000}, 2),
        lambda: read_whole_table("own.parquet"),
        2000,
    ),
    Bomb("CSV (ADNI), rows", raw.write_tables, lambda: of_adni(b"RID,PTDOBYY\n", b"1,2\n"), raw.read_tables, GIGABYTE),
    Bomb("CSV (ADNI), one line", raw.write_tables, lambda: of_adni(b"RID,PTDOBYY\n", b"0"), raw.read_tables, GIGABYTE),
    Bomb("NIfTI", raw.write_maps, lambda: volume("atlas.nii.gz"), read_atlas, GIGABYTE),
    Bomb(
        "word vectors, zeros",
        raw.write_vectors,
        lambda: gzipped("vectors.bin.gz", VECTORS, b"\0"),
        raw.read_vectors,
        GIGABYTE,
    ),
    Bomb(
        "word vectors, one line",
        raw.write_vectors,
        lambda: gzipped("vectors.txt.gz", b"2 2\n", b"0"),
        raw.read_vectors,
        GIGABYTE,
    ),
    Bomb(
        "CSV (MIMIC-IV), patients",
        write_mimic,
        lambda: of_mimic("hosp/patients", PATIENTS, b"1,M,50,2100,2008,\n"),
        read_patients,
        GIGABYTE,
    ),
    Bomb(
        "CSV (MIMIC-IV), one header",
        write_mimic,
        lambda: of_mimic("hosp/patients", b"subject_id", b","),
        read_patients,
        GIGABYTE,
    ),
    Bomb(
        "CSV (MIMIC-IV), events",
        write_mimic,
        lambda: of_mimic("hosp/labevents", LABEVENTS, LABEVENT),
        tables.read_mimic,
        GIGABYTE,
    ),
    Bomb(
        "CSV (MIMIC-IV), events in one line",
        write_mimic,
        lambda: of_mimic("hosp/labevents", LABEVENTS, b"0"),
        tables.read_mimic,
        GIGABYTE,
    ),
    Bomb("Parquet (MIMIC-IV), patients", write_mimic, patients_parquet, read_patients, 6 * 20 * BLOCK / 1e6),
    Bomb("NPZ (fitted)", contract.write_columns, lambda: npz("columns.fitted.npz"), contract.read_columns, GIGABYTE),
    Bomb("NPZ (MOSI)", lambda: raw.write_mosi("npz"), lambda: npz("mosi.npz"), raw.read_mosi, GIGABYTE),
    Bomb("weights", write_weights, lambda: checkpoint("own.ckpt"), read_weights, GIGABYTE),
    Bomb(
        "saved estimator",
        contract.write_estimator,
        lambda: zipped("own.zip", "estimator.json"),
        contract.read_estimator,
        GIGABYTE,
    ),
    Bomb("HDF5, one text", raw.write_hdf5, repeated_ids, raw.read_hdf5, 1000),
    Bomb(
        "PNG, 2,500 million pixels",
        raw.write_images,
        lambda: picture("plain.png", "1", 50_000),
        raw.read_images,
        2500 / 8,
    ),
    Bomb("PNG, 64 million pixels", raw.write_images, lambda: picture("rgba.png", "RGBA", 8000), raw.read_images, 256),
    Bomb("JSON, empty lists", lambda: Path("own.json").write_text("[]"), json_lists, read_json, 60),
]


def _explode(bomb: Bomb, sender: Connection) -> None:
    """Read good files, then the bomb; send what became of it."""
    with tempfile.TemporaryDirectory(prefix="i2moe-bomb-") as folder, Path(os.devnull).open("w") as nowhere:
        os.chdir(folder)
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
        bomb.write()
        bomb.read()
        path = bomb.plant()
        parser = Parser(bomb.name, bomb.write, bomb.read, (f"**/{path.name}",), raw.BY_NAME)
        size = path.stat().st_size
        sender.send(worker.measure(parser, size, size))


def outcome(bomb: Bomb) -> worker.Outcome:
    """Return what becomes of a bomb in a child process; its case is its size in bytes."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_explode, args=(bomb, sender))
    child.start()
    sender.close()
    found: worker.Outcome = receiver.recv()
    child.join()
    return found


def main() -> None:
    """Read every bomb, and print a table."""
    print(HEADER)
    for bomb in tqdm(BOMBS, unit="file"):
        own = outcome(bomb)
        cells = [bomb.name, f"{own.case / 1e6:.2f}", f"{bomb.unpacked:,.0f}", own.kind, f"{own.seconds:.1f}"]
        print(f"| {' | '.join([*cells, f'{own.memory / 1e6:.0f}', f'{own.memory / own.allowed:.0%}'])} |", flush=True)
        if own.kind not in (worker.READ, worker.REFUSED):
            print(own.what)


if __name__ == "__main__":
    typer.run(main)
