"""MM-IMDb's raw files: the archive's folder of JSON and JPEG files, or the ready-made multimodal_imdb.hdf5.

Sources: the archive and the HDF5 of Arevalo et al. 2017 (gmu-mmimdb); the latter's rows are movies, `features` means of
word vectors, `vgg_features` VGG-16's, and its splits are in the attribute that Fuel's H5PYDataset reads.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError, numbered
from i2moe.contract.reading import load_json, read_json
from stages.shared.hdf5 import check_stored, try_out
from stages.shared.prefetch import read_ahead

if TYPE_CHECKING:
    import h5py

# The 23 most frequent genres, which are the dataset's labels; this order is that of the official arrays.
GENRES = (
    "Drama", "Comedy", "Romance", "Thriller", "Crime", "Action", "Adventure", "Horror", "Documentary", "Mystery",
    "Sci-Fi", "Fantasy", "Family", "Biography", "War", "History", "Music", "Animation", "Musical", "Western", "Sport",
    "Short", "Film-Noir",
)  # fmt: skip
DATASET, SPLIT, HDF5 = "dataset", "split.json", "multimodal_imdb.hdf5"
FOLDS = {"train": "train", "dev": "validation", "test": "test"}
# The arrays of the ready-made file: number of axes, kinds of NumPy's dtypes.
HDF5_ARRAYS = {"genres": (2, "iubf"), "imdb_ids": (1, "SO"), "features": (2, "f"), "vgg_features": (2, "f")}
MAX_ENTRIES = 10_000  # of an attribute
ROWS = 4096  # of an array that are read at a time
HDF5_ROWS = {"train": 15552, "dev": 2608, "test": 7799}  # of the ready-made file, in this order
LINE_BREAK = "<br />"  # in plots
REMEDY = "unpack mmimdb.tar.gz there, or set data.imdb.raw to the file multimodal_imdb.hdf5"


@dataclass(frozen=True)
class Movies:
    """All movies of the raw data: one row each, of movie_id, has_json, has_poster, genres (a list) and fold, if any."""

    table: pd.DataFrame
    plots: list[str]  # the longest plot of each, empty where there is none; no plots in an HDF5


def find_hdf5(raw: str) -> Path | None:
    """Return the ready-made HDF5 where `raw` names it, or None for the archive's folder.

    Raises:
        InputError: when there is neither, or both.
    """
    path = Path(raw)
    if path.is_file():
        return path
    has_folder, has_hdf5 = (path / DATASET).is_dir(), (path / HDF5).is_file()
    if has_folder and has_hdf5:
        raise InputError(f"{path} holds both {DATASET}/ and {HDF5}: set data.imdb.raw to the HDF5, or move it away")
    if not has_folder and not has_hdf5:
        raise InputError(f"{path} holds no folder {DATASET}/: {REMEDY}")
    return path / HDF5 if has_hdf5 else None


def read_folder(raw: str, *, official: bool) -> Movies:
    """Read genres and the longest plot of every movie, and its fold in split.json if that is wanted.

    Raises:
        InputError: for a file that is not JSON, or whose genres or plots are not lists of text; for a wrong split.json.
    """
    folder = Path(raw) / DATASET
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jpeg"))
    movies = sorted({path.stem for path in files})
    posters = {path.stem for path in files if path.suffix == ".jpeg"}
    described = {path.stem for path in files if path.suffix == ".json"}
    if not described:
        raise InputError(f"{folder} holds no <id>.json: {REMEDY}")
    paths = [folder / f"{movie}.json" for movie in movies if movie in described]
    bar = tqdm(read_ahead(_read_json, paths, ahead=64), total=len(paths), desc="movies", unit="movie", delay=2)
    by_movie = dict(zip((path.stem for path in paths), bar, strict=True))
    nothing: tuple[list[str], str] = ([], "")
    folds = read_folds(Path(raw) / SPLIT) if official else {}
    table = pd.DataFrame(
        {
            "movie_id": movies,
            "has_json": [movie in described for movie in movies],
            "has_poster": [movie in posters for movie in movies],
            "genres": [by_movie.get(movie, nothing)[0] for movie in movies],
            "fold": [folds.get(movie, "") for movie in movies],
        }
    )
    return Movies(table, [by_movie.get(movie, nothing)[1] for movie in movies])


def _read_json(path: Path) -> tuple[list[str], str]:
    """Return genres and the longest plot of a movie; none where its file has none."""
    try:
        content = load_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{numbered(path)} cannot be read ({error.strerror}): unpack the archive again") from error
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise InputError(f"{numbered(path)} is not a JSON file: unpack the archive again") from error
    if not isinstance(content, dict):
        raise InputError(f"{numbered(path)} holds no JSON object: unpack the archive again")
    return _texts(path, content, "genres"), max(_texts(path, content, "plot"), key=len, default="")


def _texts(path: Path, content: dict[str, Any], key: str) -> list[str]:
    values = content.get(key) or []
    values = [values] if isinstance(values, str) else values
    if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
        raise InputError(f"{numbered(path)}: key {key!r} is not a list of texts: unpack the archive again")
    return [text for value in values if (text := value.strip())]


def read_folds(path: Path) -> dict[str, str]:
    """Return the official split of each movie from split.json.

    Raises:
        InputError: for a missing or broken file, a missing fold, or a movie in two folds.
    """
    remedy = "take it from the archive, or set data.imdb.split to shares"
    content = read_json(path, remedy)
    try:
        folds = {name: [str(movie) for movie in content[name]] for name in FOLDS}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} does not hold the lists {', '.join(FOLDS)}: {remedy}") from error
    split_of: dict[str, str] = {}
    for name, movies in folds.items():
        for place, movie in enumerate(movies, start=1):
            if movie in split_of:
                raise InputError(f"{path}: movie {place} of {name} is in it twice: {remedy}")
            split_of[movie] = FOLDS[name]
    return split_of


def open_hdf5(path: Path, *names: str, labelled: bool = False) -> "h5py.File":
    """Open the ready-made HDF5.

    Args:
        path: of the file.
        names: of the arrays that will be read; a child process reads them first.
        labelled: whether it must have genres.

    Raises:
        InputError: for a file that is not HDF5, lacks an array, crashes the HDF5 library or never lets it return.
    """
    try_out(path, partial(_read_through, path, names, labelled=labelled))
    return _open(path, names, labelled=labelled)


def _open(path: Path, names: tuple[str, ...], *, labelled: bool) -> "h5py.File":
    import h5py

    with reading(path):
        file = h5py.File(path, "r")
        ranks = {name: own for name, own in HDF5_ARRAYS.items() if labelled or name != "genres"}
        first, *_ = ranks
        for name, (rank, kinds) in ranks.items():
            own = file[name] if name in file else None  # noqa: SIM401 (`get` would hide what is broken)
            if not isinstance(own, h5py.Dataset) or own.ndim != rank or own.dtype.kind not in kinds:
                raise InputError(f"{path} has no array {name!r} with {rank} axes: is this multimodal_imdb.hdf5?")
            if len(own) != len(file[first]):
                rows = f"{name!r} has {len(own)} rows, {first!r} {len(file[first])}"
                raise InputError(f"{path}: {rows}: download it again")
        check_stored(path, {name: file[name] for name in names})
    return file


def _read_through(path: Path, names: tuple[str, ...], *, labelled: bool) -> None:
    """Read arrays some rows at a time, and the attributes."""
    with _open(path, names, labelled=labelled) as file:
        for name in names:
            for start in range(0, len(file[name]), ROWS):
                file[name][start : start + ROWS]
        if labelled:
            _target_names(file)
        if "split" in file.attrs:
            _attribute(file, "split")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Refuse a file in which the HDF5 library finds something broken, wherever that is read.

    Raises:
        InputError: for what h5py raises then.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise InputError(f"{path} is not a complete HDF5 file: download it again") from error


def read_hdf5(path: Path, *, official: bool, labelled: bool = True) -> Movies:
    """Read the movies' ids, and their genres and folds if that is wanted; rows stay in the file's order.

    Raises:
        InputError: for a repeated id, genres without names or other than 0 and 1, or unknown folds.
    """
    names = ("imdb_ids", "genres") if labelled else ("imdb_ids",)
    with open_hdf5(path, *names, labelled=labelled) as file, reading(path):
        ids = pd.Series(file["imdb_ids"][:]).map(_text)
        repeated = ids.duplicated().to_numpy()
        if repeated.any():
            raise InputError(f"{path}: row {int(np.flatnonzero(repeated)[0])} of 'imdb_ids' repeats an earlier id")
        genres = _genres(path, file) if labelled else [[] for _ in ids]
        folds = _hdf5_folds(path, file) if official else np.full(len(ids), "")
    table = pd.DataFrame({"movie_id": ids, "has_json": True, "has_poster": True, "genres": genres, "fold": folds})
    return Movies(table, [])


def _genres(path: Path, file: "h5py.File") -> list[list[str]]:
    """Return the names of each row's genres."""
    names, labels = _target_names(file), file["genres"][:]
    if len(names) != labels.shape[1] or not np.isin(labels, (0, 1)).all():
        raise InputError(
            f"{path}: 'genres' is not 0 and 1, or its attribute 'target_names' does not name its columns: download it "
            "again"
        )
    return [[names[column] for column in np.flatnonzero(row)] for row in labels]


def _target_names(file: "h5py.File") -> list[str]:
    """Return the names of the columns of 'genres', which its attribute lists as JSON; none where it does not."""
    try:
        return [str(name) for name in json.loads(_text(_attribute(file["genres"], "target_names")))]
    except (KeyError, ValueError, TypeError):
        return []


def _attribute(owner: Any, name: str) -> Any:  # noqa: ANN401 (h5py has no types)
    """Return an attribute; one whose size is broken would be read for minutes."""
    if math.prod(owner.attrs.get_id(name).shape) > MAX_ENTRIES:
        raise ValueError(f"attribute {name!r} has more than {MAX_ENTRIES} entries")
    return owner.attrs[name]


def _hdf5_folds(path: Path, file: "h5py.File") -> NDArray[np.str_]:
    """Return each row's split: by the attribute `split`, or by the known numbers of rows."""
    num_rows = len(file["genres"])
    folds = np.full(num_rows, "", dtype="<U10")
    if "split" in file.attrs:
        for entry in _attribute(file, "split"):
            if _text(entry["source"]) == "genres" and _text(entry["split"]) in FOLDS:
                folds[int(entry["start"]) : int(entry["stop"])] = FOLDS[_text(entry["split"])]
    elif num_rows == sum(HDF5_ROWS.values()):
        folds[:] = np.repeat([FOLDS[name] for name in HDF5_ROWS], list(HDF5_ROWS.values()))
    else:
        raise InputError(
            f"{path} has {num_rows} rows and no attribute 'split' that tells their folds: set data.imdb.split to shares"
        )
    return folds


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
