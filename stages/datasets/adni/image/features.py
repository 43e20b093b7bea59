"""MRI features of ADNI: grey-matter maps as volumes, or FreeSurfer's regional measures as a vector."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError
from i2moe.contract.masks import pack_mask
from stages.datasets.adni.image.maps import Grid, read_grid
from stages.datasets.adni.image.scans import FREESURFER, MAPS
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import needed_table
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, save_blocks, write_features, write_vectors
from stages.shared.prefetch import read_ahead
from stages.shared.visits import read_visits

# Cortical volumes (CV), thickness averages (TA) and subcortical volumes (SV) of a region.
MEASURE = re.compile(r"^ST\d+(CV|TA|SV)$")
ROWS = 64  # maps scaled at a time
AHEAD = 6  # maps read ahead of the one that is written


def image() -> None:
    """Write data/features/adni/image.npy and .json."""
    settings = load_block("data.adni", Settings)
    visits = read_visits("adni", dates=("date",))
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
    files = [Path(settings.raw) / MAPS / name for name in visits["scan"]]
    is_train = visits["is_train"].to_numpy()
    about = {
        "kind": "volume",
        "shape": list(grid.coarse.shape),
        "mask": pack_mask(grid.coarse),
        "source": str(Path(settings.raw) / MAPS),
        "atlas": str(grid.path),
        "grey_matter_voxels": int(grid.mask.sum()),
    }
    fitted = fitted_on_train(is_train, "mean and standard deviation over all grey-matter voxels")
    statistics: dict[str, float] = {}

    def write(partial: Path) -> None:
        # As read, in a file of float32 next to it: neither rounded twice nor held in memory.
        unscaled = partial.with_suffix(".unscaled")
        try:
            mean, std = _write_unscaled(unscaled, grid, files, is_train)
            shape = len(files), int(grid.coarse.sum())
            save_blocks(partial, _scaled(unscaled, shape, mean, std), "<f2", shape)
        finally:
            unscaled.unlink(missing_ok=True)
        statistics.update(mean=mean, std=std)

    path = write_features(paths.features("adni"), "image", write, lambda: about | {"fitted": fitted | statistics})
    print(f"{path}: {len(files)} x {int(grid.coarse.sum())} voxels of {' x '.join(map(str, grid.coarse.shape))}")


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
    mean = total / count
    std = max(squares / count - mean**2, 0.0) ** 0.5
    if std == 0:
        raise InputError(f"{files[0].parent}: the train maps are constant in grey matter: are these the right files?")
    return mean, std


def _scaled(source: Path, shape: tuple[int, int], mean: float, std: float) -> Iterator[NDArray[np.float32]]:
    """Standardise some rows at a time.

    Raises:
        InputError: for a value too far from the mean for float16.
    """
    with source.open("rb") as stream:
        for start in range(0, shape[0], ROWS):
            block = np.fromfile(stream, np.float32, min(ROWS, shape[0] - start) * shape[1])
            scaled = (block - np.float32(mean)) / np.float32(std)
            if np.abs(scaled).max() > np.finfo(np.float16).max:
                row = start + int(np.abs(scaled).argmax()) // shape[1]
                raise InputError(
                    f"the map of sample {row + 1} by id has a value too far from all others: make it again"
                )
            yield scaled


def write_freesurfer(settings: Settings, visits: pd.DataFrame) -> None:
    """Write regional volumes and thicknesses [N, F]: missing → train median, then standardised with train.

    Raises:
        InputError: for a missing table, one without measures, or a measure that is not a number.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = needed_table(settings.raw, FREESURFER)
    names = [str(name) for name in table.rows if MEASURE.match(str(name))]
    if not names:
        raise InputError(f"{table.path} has no column such as ST29SV, ST10CV or ST103TA: is this the right table?")
    values = pd.DataFrame({name: table.numbers(name) for name in names}).loc[visits["scan"].astype(int)]
    is_train = visits["is_train"].to_numpy()
    present = values[is_train].notna().any().to_numpy()
    kept = [name for name, is_present in zip(names, present, strict=True) if is_present]
    if not kept:
        raise InputError(f"{table.path}: no train subject has any measure: are these rows of scans?")
    imputer, scaler = SimpleImputer(strategy="median"), StandardScaler()
    steps = make_pipeline(imputer, scaler).fit(values.loc[is_train, kept].to_numpy())
    fitted = {"imputed": imputer.statistics_, "means": scaler.mean_, "scales": scaler.scale_}
    description = {
        "source": str(table.path),
        "features": kept,
        "without_value_in_train": [name for name in names if name not in kept],
        "share_of_subjects_missing": values[kept].isna().mean().round(4).to_dict(),
        "fitted": fitted_on_train(is_train, "imputed values, means, scales")
        | {name: numbers.tolist() for name, numbers in fitted.items()},
    }
    write_vectors(
        paths.features("adni"), "image", steps.transform(values[kept].to_numpy()).astype(np.float32), description
    )


if __name__ == "__main__":
    run(image)
