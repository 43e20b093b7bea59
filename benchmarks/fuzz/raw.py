"""The parsers of the paper's datasets and of MMHS150K: pickle, NIfTI, PLINK, HDF5, images, vectors, JSON and CSV."""

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image as Picture

from benchmarks.fuzz.parsers import Parser

MOVIES = {f"000000{number}": {"genres": ["Drama"], "plot": ["war and love", "sea"]} for number in range(1, 4)}
VECTORS = {"war": (1, 0), "love": (0, 1), "sea": (2, 2)}
TOPICS = "screen_id,topic\n1,bare\n2,login\n3,news\n"
ISSUES = "screen_id,issue,severity\n1,blurred,high\n3,cut,low\n"


def write_mosi(ending: str) -> None:
    """Write two utterances in each fold of CMU-MOSI."""
    generator, folds = np.random.default_rng(0), {}
    for fold in ("train", "valid", "test"):
        ids = np.empty((2, 3), dtype=object)
        ids[:] = [[f"{fold}{row}".encode(), b"0.0", b"1.5"] for row in range(2)]
        steps = {
            name: generator.normal(size=(2, 3, width)) for name, width in (("vision", 2), ("audio", 1), ("text", 2))
        }
        folds[fold] = steps | {"labels": generator.normal(size=(2, 1, 1)), "id": ids}
    if ending == "pkl":
        Path("mosi_data.pkl").write_bytes(pickle.dumps(folds, protocol=4))
        Path("mosi_old.pkl").write_bytes(pickle.dumps(folds, protocol=2))
        return
    arrays = {
        f"{fold}/{key}": values.astype("S") if key == "id" else values
        for fold, own in folds.items()
        for key, values in own.items()
    }
    if ending == "npz":
        np.savez("mosi.npz", **arrays)
        return
    with h5py.File("mosi.hdf5", "w") as file:
        for name, values in arrays.items():
            file[name] = values


def read_mosi() -> None:
    """Read all utterances of every file."""
    from stages.datasets.mosi.utterances import read_utterances

    for path in sorted(Path().glob("mosi*")):
        read_utterances(str(path))


def write_maps() -> None:
    """Write an atlas and maps of 3 x 3 x 4 voxels; the atlas and one map are compressed."""
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    labels = np.zeros((3, 3, 4), np.int16)
    labels[1] = 150
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    Path("atlas.nii.gz").write_bytes(gzip.compress(Nifti1Image(labels, affine).to_bytes(), mtime=0))
    volume = np.random.default_rng(0).normal(size=labels.shape).astype(np.float32)
    Path("map.nii.gz").write_bytes(gzip.compress(Nifti1Image(volume, affine).to_bytes(), mtime=0))
    Path("map.nii").write_bytes(Nifti1Image((9 * volume).astype(np.int16), affine).to_bytes())
    Path("new.nii").write_bytes(Nifti2Image(volume, affine).to_bytes())


def read_maps() -> None:
    """Read the atlas's grid and all maps, resampled where they are on another."""
    from stages.datasets.adni.image.maps import read_grid
    from stages.datasets.adni.settings import ImageSettings

    for resample in (False, True):
        settings = ImageSettings(atlas="atlas.nii.gz", grey_matter=150, downsample=2, resample=resample)
        grid = read_grid(".", settings)
        for path in ("map.nii.gz", "map.nii", "new.nii"):
            grid.read(Path(path))


def write_plink() -> None:
    """Write two filesets of three people and four variants."""
    from bed_reader import to_bed

    Path("plink").mkdir()
    for number in range(2):
        calls = np.random.default_rng(number).integers(0, 3, (3, 4)).astype(np.int8)
        properties = {
            "iid": [f"00{number}_S_000{row}" for row in range(3)],
            "sid": ["rs1", "rs2", "rs3", "rs4"],
            "chromosome": ["1", "1", "2", "22"],
            "bp_position": [100, 200, 50, 60],
            "allele_1": ["A", "C", "A", "G"],
            "allele_2": ["C", "T", "G", "A"],
        }
        to_bed(f"plink/set{number}.bed", calls, properties=properties)


def read_plink() -> None:
    """Merge the filesets and read everyone's genotypes."""
    from stages.datasets.adni.genetic.plink import Genotypes, find_filesets, merge
    from stages.datasets.adni.settings import Settings

    settings = Settings.model_fields["genetic"].annotation
    merged = merge(find_filesets("."), settings.model_construct(ambiguous="drop", mismatched="drop"))  # type: ignore[union-attr]
    Genotypes(merged, list(merged.people())).missing_share()


def write_tables() -> None:
    """Write ADNI's tables of six subjects, one of them compressed."""
    from stages.datasets.adni.synthetic.subjects import draw_subjects
    from stages.datasets.adni.synthetic.tables import tables

    for name, table in tables(draw_subjects(6, np.random.default_rng(0)), np.random.default_rng(0)).items():
        if name in ADNI_TABLES:
            table.to_csv(f"{name}_09May2024.csv", index=False)
    vitals = Path("VITALS_09May2024.csv")
    Path(f"{vitals}.gz").write_bytes(gzip.compress(vitals.read_bytes(), mtime=0))
    vitals.unlink()


ADNI_TABLES = {"DXSUM": ["DIAGNOSIS"], "PTDEMOG": ["PTDOBYY", "PTEDUCAT"], "VITALS": ["VSWEIGHT"]}


def read_tables() -> None:
    """Read the tables, with their subjects, dates and some numbers."""
    from stages.datasets.adni.source import needed_table

    for name, columns in ADNI_TABLES.items():
        table = needed_table(".", name)
        table.rid()
        table.dates()
        table.require(columns)
        for column in columns:
            table.numbers(column)


def write_movies() -> None:
    """Write MM-IMDb's folder of three movies."""
    Path("dataset").mkdir()
    for name, content in MOVIES.items():
        Path(f"dataset/{name}.json").write_text(json.dumps(content))
    names = list(MOVIES)
    Path("split.json").write_text(json.dumps({"train": names[:1], "dev": names[1:2], "test": names[2:]}))


def read_movies() -> None:
    """Read the movies and their folds."""
    from stages.datasets.imdb.source import read_folder

    read_folder(".", official=True)


def write_hdf5() -> None:
    """Write the ready-made HDF5 of six movies."""
    kinds = [("split", "S5"), ("source", "S12"), ("start", "i8"), ("stop", "i8")]
    rows = [(fold, b"genres", start, start + 2) for start, fold in ((0, b"train"), (2, b"dev"), (4, b"test"))]
    generator = np.random.default_rng(0)
    with h5py.File("multimodal_imdb.hdf5", "w") as file:
        file["features"] = generator.normal(size=(6, 3)).astype("f4")
        file["vgg_features"] = generator.normal(size=(6, 5)).astype("f4")
        file["genres"] = np.arange(12).reshape(6, 2) % 2
        file["imdb_ids"] = np.array([f"{row:07d}" for row in range(6)], dtype="S7")
        file["genres"].attrs["target_names"] = json.dumps(["Drama", "Comedy"])
        file.attrs["split"] = np.array(rows, dtype=kinds)


def read_hdf5() -> None:
    """Read the movies, their folds and their ready-made vectors."""
    from stages.datasets.imdb.movies import read_means
    from stages.datasets.imdb.source import read_hdf5 as read

    read(Path("multimodal_imdb.hdf5"), official=True)
    read_means(Path("multimodal_imdb.hdf5"))


def write_vectors() -> None:
    """Write word vectors in both formats, each also compressed."""
    head = f"{len(VECTORS)} 2\n".encode()
    binary = head + b"".join(
        word.encode() + b" " + np.array(own, "<f4").tobytes() + b"\n" for word, own in VECTORS.items()
    )
    text = head + b"".join(f"{word} {own[0]} {own[1]}\n".encode() for word, own in VECTORS.items())
    for name, content in (("vectors.bin", binary), ("vectors.txt", text)):
        Path(name).write_bytes(content)
        Path(f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))


def read_vectors() -> None:
    """Average vectors of every file over a text."""
    from stages.shared.words import mean_vectors

    for path in sorted(Path().glob("vectors*")):
        mean_vectors(["war and love", ""], path, "data.own.vectors")


def write_images() -> None:
    """Write pictures of several kinds."""
    pixels = np.random.default_rng(0).integers(0, 255, (12, 9, 4), dtype=np.uint8)
    picture = Picture.fromarray(pixels)
    picture.save("rgba.png")
    picture.convert("P").save("palette.png", transparency=0)
    Picture.fromarray(pixels[..., 0].astype(np.uint16) * 257).save("grey16.png")
    picture.convert("RGB").save("plain.jpeg")
    picture.convert("CMYK").save("cmyk.jpeg", progressive=True)
    picture.convert("L").save("grey.jpeg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00")


def read_images() -> None:
    """Decode all pictures."""
    from torch import nn

    from stages.shared.images.images import Extractor, Item, decode
    from stages.shared.images.networks import prepare

    extractor = Extractor(nn.Identity(), prepare, 224, 224, (3,), 1, "own", "own", "bring it again", None)
    for path in sorted([*Path().glob("*.png"), *Path().glob("*.jpeg")]):
        decode(Item(path, path.stem), extractor)


def write_tweets() -> None:
    """Write four tweets of MMHS150K."""
    for folder in ("img_resized", "img_txt", "splits"):
        Path(folder).mkdir()
    tweets: dict[str, Any] = {
        str(number): {"img_url": f"u{number}", "labels": [0, 1, number], "tweet_text": "RT @a: tea &amp; cake"}
        for number in range(4)
    }
    Path("MMHS150K_GT.json").write_text(json.dumps(tweets))
    Path("img_txt/1.json").write_text(json.dumps({"img_text": "CAKE\ntea"}))
    for name, ids in (("train", "0\n1\n"), ("val", "2\n"), ("test", "3\n")):
        Path(f"splits/{name}_ids.txt").write_text(ids)


def read_tweets() -> None:
    """Read annotations, folds and texts inside images."""
    from stages.datasets.mmhs.source import read_folds, read_ground_truth, read_image_texts

    table, _ = read_ground_truth(".")
    read_folds(".", table["tweet_id"])
    read_image_texts(".", table["tweet_id"])


def write_screens() -> None:
    """Write ENRICO's two tables."""
    Path("design_topics.csv").write_text(TOPICS)
    Path("issues.csv").write_text(ISSUES)


def read_screens() -> None:
    """Read them."""
    from stages.datasets.enrico.source import read_flawed, read_topics

    read_topics(".")
    read_flawed(".", only_high=True)


BY_NAME = (" by name",)  # a file's own name may be an id: errors give its number

PARSERS = [
    Parser("pickle (MOSI)", lambda: write_mosi("pkl"), read_mosi, ("*.pkl",)),
    Parser("NPZ (MOSI)", lambda: write_mosi("npz"), read_mosi, ("*.npz",)),
    Parser("HDF5 (MOSI)", lambda: write_mosi("hdf5"), read_mosi, ("*.hdf5",)),
    Parser("NIfTI", write_maps, read_maps, ("*.nii", "*.nii.gz"), BY_NAME),
    Parser("PLINK", write_plink, read_plink, ("plink/*",), ("plink",)),
    Parser("CSV (ADNI)", write_tables, read_tables, ("*.csv", "*.csv.gz")),
    Parser("JSON (MM-IMDb)", write_movies, read_movies, ("dataset/*", "split.json"), ("dataset",)),
    Parser("HDF5 (MM-IMDb)", write_hdf5, read_hdf5, ("*.hdf5",)),
    Parser("word vectors", write_vectors, read_vectors, ("vectors*",)),
    Parser("images", write_images, read_images, ("*.png", "*.jpeg"), BY_NAME),
    Parser("JSON and lists (MMHS150K)", write_tweets, read_tweets, ("*.json", "img_txt/*", "splits/*"), ("img_txt",)),
    Parser("CSV (ENRICO)", write_screens, read_screens, ("*.csv",)),
]
