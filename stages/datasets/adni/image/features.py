"""MRI features of ADNI: grey-matter maps as volumes, or FreeSurfer's regional measures as a vector."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError, numbered
from i2moe.contract.masks import pack_mask
from i2moe.preparation.fitted import read_fitted
from stages.datasets.adni.image.freesurfer import write_freesurfer
from stages.datasets.adni.image.maps import Grid, grid_of, read_grid
from stages.datasets.adni.image.scans import MAPS
from stages.datasets.adni.settings import Settings
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, save_blocks, save_fitted, spread, write_features, write_present
from stages.shared.prefetch import read_ahead
from stages.shared.visits import read_visits

ROWS = 64  # maps scaled at a time
AHEAD = 6  # maps read ahead of the one that is written


def image() -> None:
    """Write data/features/adni/image.npy, .json, .present.npy and .fitted.npz."""
    settings = load_block("data.adni", Settings)
    visits = read_visits("adni", {"rid": int, "has_image": bool}, dates=("date",))
    if visits.loc[visits["has_image"], "scan"].isna().any():
        raise InputError(f"{paths.visits('adni')} names no scan of a subject that has one: rerun the cohort stage")
    if settings.image_source == "freesurfer":
        write_freesurfer(settings, visits)
    else:
        write_maps(settings, visits)


def write_maps(settings: Settings, visits: pd.DataFrame) -> None:
    """Write grey-matter voxels [N, V] as float16, standardised with the train maps' one mean and one deviation.

    Raises:
        InputError: for the first map that cannot be read or is not on the atlas's grid; nothing is written then.
    """
    grid = read_grid(settings.raw, settings.image)
    present = visits["has_image"].to_numpy(bool)
    files = _files(settings, visits[present])
    is_train = visits.loc[present, "is_train"].to_numpy()
    fitted = fitted_on_train(is_train, "mean and standard deviation over all grey-matter voxels")
    statistics: dict[str, float] = {}

    def write(partial: Path) -> None:
        # As read, in a file of float32 next to it: neither rounded twice nor held in memory.
        unscaled = partial.with_suffix(".unscaled")
        try:
            mean, std = _write_unscaled(unscaled, grid, files, is_train)
            _save(partial, _scaled(_stored(unscaled, len(files), grid), files, mean, std), present, grid)
        finally:
            unscaled.unlink(missing_ok=True)
        statistics.update(mean=mean, std=std)

    about = _about(grid, settings)
    path = write_features(paths.features("adni"), "image", write, lambda: about | {"fitted": fitted | statistics})
    write_present(paths.features("adni"), "image", present)
    save_fitted("adni", "image", grid.fitted() | {name: np.array(value) for name, value in statistics.items()})
    print(f"{path}: {len(present)} x {int(grid.coarse.sum())} voxels of {' x '.join(map(str, grid.coarse.shape))}")


def write_new_maps(dataset: str, settings: Settings, subjects: pd.DataFrame, folder: Path) -> None:
    """Write the maps of new subjects, on the grid of those of train; no atlas is read.

    Raises:
        InputError: for the first map that cannot be read or is not on that grid.
    """
    fitted = read_fitted(paths.fitted(dataset, "image"))
    if "mask" not in fitted:
        raise InputError(f"{paths.fitted(dataset, 'image')} is of FreeSurfer's measures: rerun the feature stage")
    grid = grid_of(fitted, settings.image)
    present = subjects["has_image"].to_numpy(bool)
    files = _files(settings, subjects[present])
    blocks = (values[None] for values in read_ahead(grid.read, files, AHEAD))
    mean, std = float(fitted["mean"]), float(fitted["std"])

    def write(partial: Path) -> None:
        _save(partial, _scaled(blocks, files, mean, std), present, grid)

    write_features(folder, "image", write, lambda: _about(grid, settings))
    write_present(folder, "image", present)


def _files(settings: Settings, subjects: pd.DataFrame) -> list[Path]:
    return [Path(settings.raw) / MAPS / name for name in subjects["scan"]]


def _about(grid: Grid, settings: Settings) -> dict[str, Any]:
    return {
        "kind": "volume",
        "shape": list(grid.coarse.shape),
        "mask": pack_mask(grid.coarse),
        "source": str(Path(settings.raw) / MAPS),
        "atlas": str(grid.path),
        "grey_matter_voxels": int(grid.mask.sum()),
    }


def _save(path: Path, scaled: Iterable[NDArray[np.float32]], present: NDArray[np.bool_], grid: Grid) -> None:
    """Save scaled voxels [n, V] as float16; 0 for samples without a map."""
    width = int(grid.coarse.sum())
    save_blocks(path, spread(scaled, present, width), "<f2", (len(present), width))


def _write_unscaled(path: Path, grid: Grid, files: list[Path], is_train: NDArray[np.bool_]) -> tuple[float, float]:
    """Write the maps' voxels as float32; return mean and standard deviation over the train maps."""
    total = squares = 0.0
    with path.open("wb") as stream:
        maps = tqdm(
            read_ahead(grid.read, files, AHEAD),
            total=len(files),
            desc="maps",
            unit="map",
            mininterval=1,
            delay=2,
            dynamic_ncols=True,
        )
        for values, own in zip(maps, is_train, strict=True):
            stream.write(values.tobytes())
            if own:
                total += float(values.sum(dtype=np.float64))
                squares += float(np.square(values, dtype=np.float64).sum())
    count = int(is_train.sum()) * int(grid.coarse.sum())
    if not count:
        raise InputError(f"{path.parent}: no train subject has a map: bring more scans, or change split.seed")
    mean = total / count
    std = max(squares / count - mean**2, 0.0) ** 0.5
    if std == 0:
        raise InputError(f"{files[0].parent}: the train maps are constant in grey matter: are these the right files?")
    return mean, std


def _stored(source: Path, number: int, grid: Grid) -> Iterator[NDArray[np.float32]]:
    """Yield the voxels of maps as they are, some at a time."""
    width = int(grid.coarse.sum())
    with source.open("rb") as stream:
        for start in range(0, number, ROWS):
            yield np.fromfile(stream, np.float32, min(ROWS, number - start) * width).reshape(-1, width)


def _scaled(
    blocks: Iterable[NDArray[np.float32]], files: list[Path], mean: float, std: float
) -> Iterator[NDArray[np.float32]]:
    """Standardise the voxels of `files`, some at a time.

    Raises:
        InputError: for a value too far from the mean for float16.
    """
    done = 0
    for block in blocks:
        scaled = (block - np.float32(mean)) / np.float32(std)
        too_far = np.abs(scaled).max(axis=1) > np.finfo(np.float16).max
        if too_far.any():
            path = files[done + int(too_far.argmax())]
            raise InputError(f"{numbered(path)} has a value too far from those of the train maps: make it again")
        done += len(block)
        yield scaled


if __name__ == "__main__":
    run(image)
