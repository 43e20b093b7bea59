"""A fitted estimator as one file: a ZIP of JSON, arrays and weights, in which nothing is executed."""

import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import Count, FileStem
from i2moe.contract.json_file import Description
from i2moe.contract.reading import read_csv
from i2moe.estimator.inputs import Preparation
from i2moe.preparation.fitted import read_fitted, write_fitted
from i2moe.trained import DESCRIPTION, TrainedModel

if TYPE_CHECKING:
    from i2moe.estimator.estimator import I2MoEEstimator

ESTIMATOR = "estimator.json"
# What Python's zipfile raises for an archive that is broken, encrypted, or packed in an unknown way.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)


class Saved(Description):
    """`estimator.json`: what of an estimator is neither weights nor fitted arrays."""

    kind: str  # of estimator
    params: dict[str, Any]
    kinds: dict[FileStem, str]  # of array, by modality
    classes: list[Any] | None = None
    classes_dtype: str | None = None
    n_features_in_: Count | None = None
    feature_names_in_: list[str] | None = None


def pack(estimator: "I2MoEEstimator") -> bytes:
    """Return a fitted estimator as the bytes of a file."""
    stream = io.BytesIO()
    trained, preparation = estimator.trained_, estimator.preparation_
    with tempfile.TemporaryDirectory(prefix="i2moe-") as name, zipfile.ZipFile(stream, "w") as archive:
        folder = Path(name)
        trained.write(folder)
        for modality, fitted in preparation.fitted.items():
            write_fitted(folder / f"{modality}.fitted.npz", fitted)
        (folder / ESTIMATOR).write_text(json.dumps(_describe(estimator)), encoding="utf-8")
        if hasattr(estimator, "curves_"):
            estimator.curves_.to_csv(folder / "curves.csv", index=False)
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return stream.getvalue()


def _describe(estimator: "I2MoEEstimator") -> dict[str, Any]:
    """Return what the JSON holds: parameters that JSON can, classes, columns and kinds of modalities."""
    given = {name: _plain(value) for name, value in estimator.get_params(deep=False).items()}
    params = {name: value for name, value in given.items() if _is_json(value)}
    if isinstance(estimator.class_weight, Mapping):  # its keys are classes of any type, those of JSON text
        params["class_weight"] = {
            str(name): _plain(estimator.class_weight[name])
            for name in estimator.classes_.tolist()
            if name in estimator.class_weight
        }
    about: dict[str, Any] = {"kind": type(estimator).__name__, "params": params, "kinds": estimator.preparation_.kinds}
    if hasattr(estimator, "classes_"):
        about["classes"] = estimator.classes_.tolist()
        about["classes_dtype"] = "object" if estimator.classes_.dtype == object else estimator.classes_.dtype.str
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            about[name] = np.asarray(getattr(estimator, name)).tolist()
    return about


def _plain(value: Any) -> Any:
    """Return a parameter as JSON has it: a class by its name, of NumPy's numbers Python's, of a range its numbers."""
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, Mapping):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, tuple | range | np.ndarray | pd.Index):
        return [_plain(own) for own in value]
    return value.item() if isinstance(value, np.generic) else value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def unpack(estimator: "I2MoEEstimator", content: bytes, source: str) -> None:
    """Give an estimator the state that `pack` wrote.

    Raises:
        InputError: for what is something else, or of another kind of estimator.
    """
    with tempfile.TemporaryDirectory(prefix="i2moe-") as name:
        folder = Path(name)
        try:
            _extract(content, folder)
            _restore(estimator, Saved.read(folder / ESTIMATOR), folder)
        except InputError as error:
            reason = str(error).replace(f"{folder}/", "")
            raise InputError(f"{source} is not what `save` writes ({reason}): save the estimator again") from error


def _extract(content: bytes, folder: Path) -> None:
    """Write the members of an archive into a folder, those alone that belong into it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _require_unpacked(archive, len(content))
            for member in archive.namelist():
                if Path(member).name == member:
                    (folder / member).write_bytes(archive.read(member))
    except InputError:
        raise
    except ZIP_ERRORS as error:
        raise InputError(f"it is no complete archive: {type(error).__name__}") from error


def _require_unpacked(archive: zipfile.ZipFile, stored: int) -> None:
    """Refuse members that are packed, before they are in memory."""
    size = sum(member.file_size for member in archive.infolist())
    if size > stored:
        raise InputError(f"its members are packed, which `save` does not do, and have {size / 1e6:.0f} MB")


def _restore(estimator: "I2MoEEstimator", about: Saved, folder: Path) -> None:
    """Give an estimator the state that the files of a folder hold."""
    if about.kind != type(estimator).__name__:
        raise InputError(f"it holds a {about.kind}, not a {type(estimator).__name__}")
    known = estimator.get_params(deep=False)
    estimator.set_params(**{key: value for key, value in about.params.items() if key in known})
    estimator.trained_ = TrainedModel.open(folder, str(estimator.accelerator))
    if about.kinds != estimator.trained_.signature.kinds:
        raise InputError(f"{ESTIMATOR} names modalities {about.kinds}, {DESCRIPTION} others")
    estimator.preparation_ = Preparation(
        about.kinds, {modality: read_fitted(folder / f"{modality}.fitted.npz") for modality in about.kinds}
    )
    if (folder / "curves.csv").exists():
        estimator.curves_ = read_csv(folder / "curves.csv", "save the estimator again")
    if about.classes is not None:
        estimator.classes_ = _classes(about)
        if isinstance(estimator.class_weight, Mapping):
            weights = estimator.class_weight
            names = estimator.classes_.tolist()
            estimator.class_weight = {name: weights[str(name)] for name in names if str(name) in weights}
    if about.n_features_in_ is not None:
        estimator.n_features_in_ = about.n_features_in_
    if about.feature_names_in_ is not None:
        estimator.feature_names_in_ = np.array(about.feature_names_in_, dtype=object)


def _classes(about: Saved) -> NDArray[Any]:
    """Return the classes with the type that they had."""
    try:
        return np.array(about.classes, dtype=np.dtype(about.classes_dtype))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{ESTIMATOR}: the classes are not of type {about.classes_dtype!r}") from error
