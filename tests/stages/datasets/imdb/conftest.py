"""Hand-written files in MM-IMDb's layout (synthetic), and a project folder whose settings point at them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[4]

# Who is out: 0000007 lacks a poster, 8 genres, 9 a genre of the 23, 10 a plot, 11 a known word, 12 its JSON file.
MOVIES = {
    "0000001": {"genres": ["Drama"], "plot": ["War!", "War, war and love zzz."]},
    "0000002": {"genres": ["Drama", "Comedy"], "plot": ["love"]},
    "0000003": {"genres": ["Comedy", "News"], "plot": ["<br />1984 *war*"]},
    "0000004": {"genres": ["Drama", "Comedy"], "plot": "sea"},
    "0000005": {"genres": ["Drama"], "plot": ["https://war.example/love\nsea"]},
    "0000006": {"genres": ["Comedy", "Drama"], "plot": ["love sea war"]},
    "0000007": {"genres": ["Drama"], "plot": ["war"]},
    "0000008": {"genres": [], "plot": ["war"]},
    "0000009": {"genres": ["News"], "plot": ["war"]},
    "0000010": {"genres": ["Drama"], "plot": ["", "  "]},
    "0000011": {"genres": ["Drama"], "plot": ["zzz yyy"]},
}
WITHOUT_POSTER, WITHOUT_JSON = "0000007", "0000012"
VECTORS = {"war": (1, 0), "love": (0, 1), "sea": (2, 2), "N": (0, 4), "L": (-6, 0)}
SPLIT = {"train": ["0000001", "0000002", "0000003", "0000011"], "dev": ["0000004"], "test": ["0000005"]}


def write_vectors(path, vectors):
    width = len(next(iter(vectors.values())))
    lines = b"".join(word.encode() + b" " + np.array(own, "<f4").tobytes() + b"\n" for word, own in vectors.items())
    path.write_bytes(f"{len(vectors)} {width}\n".encode() + lines)


def write_posters(folder, names):
    for number, name in enumerate(names):
        colours = np.random.default_rng(number).integers(0, 255, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(colours).save(folder / f"{name}.jpeg")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in an empty folder; return a function that writes the hand-written files and the settings, changed."""
    monkeypatch.chdir(tmp_path)

    def write(**settings):
        dataset = tmp_path / "raw" / "dataset"
        if not dataset.exists():
            dataset.mkdir(parents=True)
            for name, content in MOVIES.items():
                (dataset / f"{name}.json").write_text(json.dumps({"title": name, **content}))
            write_posters(dataset, [*(name for name in MOVIES if name != WITHOUT_POSTER), WITHOUT_JSON])
            write_vectors(tmp_path / "raw" / "vectors.bin", VECTORS)
            (tmp_path / "raw" / "split.json").write_text(json.dumps(SPLIT))
        write_settings(tmp_path, **{"raw": "raw"} | settings)
        return tmp_path / "raw"

    return write


def write_settings(folder, **settings):
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    imdb = params["data"]["imdb"]
    for key, value in settings.items():
        imdb[key] = imdb[key] | value if isinstance(value, dict) else value
    params["split"] = {"train": 0.34, "validation": 0.33, "test": 0.33, "seed": 0}
    yaml.dump(params, folder / "params.yaml")


GENRES = ["Drama", "Comedy"]


def write_hdf5(path, num=12, **arrays):
    """Write a small file with the arrays, attributes and types of multimodal_imdb.hdf5."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(num, 3)).astype("f4")
    genres = np.stack([np.arange(num) % 2, np.arange(num) % 3 > 0], axis=1).astype("i4")
    default = {
        "features": features,
        "vgg_features": generator.normal(size=(num, 5)).astype("f4"),
        "genres": genres,
        "imdb_ids": np.array([f"{9 * num - row:07d}" for row in range(num)], dtype="S7"),
    }
    with h5py.File(path, "w") as file:
        for name, values in (default | arrays).items():
            if values is not None:
                file[name] = values
        if "genres" in file:
            file["genres"].attrs["target_names"] = json.dumps(GENRES)
    return default | arrays


def write_folds(path, folds):
    """Add the attribute that Fuel's H5PYDataset writes: rows of each split, source by source."""
    kinds = [("split", "S5"), ("source", "S12"), ("start", "i8"), ("stop", "i8"), ("indices", h5py.ref_dtype)]
    rows = [
        (name.encode(), source, *bounds, h5py.Reference())
        for name, bounds in folds.items()
        for source in (b"features", b"genres")
    ]
    with h5py.File(path, "a") as file:
        file.attrs["split"] = np.array(rows, dtype=[*kinds, ("available", "?"), ("comment", "S1")][:5])
