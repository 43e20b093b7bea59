"""A fitted estimator as one file: a ZIP of JSON, arrays and weights, in which nothing is executed."""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.estimator.inputs import Preparation
from i2moe.preparation.fitted import read_fitted, write_fitted
from i2moe.trained import TrainedModel

if TYPE_CHECKING:
    from i2moe.estimator.estimator import I2MoEEstimator

ESTIMATOR = "estimator.json"


def pack(estimator: "I2MoEEstimator") -> bytes:
    """Return a fitted estimator as the bytes of a file."""
    stream = io.BytesIO()
    trained, preparation = estimator.trained_, estimator.preparation_
    with tempfile.TemporaryDirectory(prefix="i2moe-") as name, zipfile.ZipFile(stream, "w") as archive:
        folder = Path(name)
        trained.write(folder)
        for modality, fitted in preparation.fitted.items():
            write_fitted(folder / f"{modality}.fitted.npz", fitted)
        (folder / ESTIMATOR).write_text(json.dumps(_describe(estimator)))
        if hasattr(estimator, "curves_"):
            estimator.curves_.to_csv(folder / "curves.csv", index=False)
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return stream.getvalue()


def _describe(estimator: "I2MoEEstimator") -> dict[str, Any]:
    """Return what the JSON holds: parameters that JSON can, classes, columns and kinds of modalities."""
    params = {name: value for name, value in estimator.get_params(deep=False).items() if _is_json(value)}
    about: dict[str, Any] = {"kind": type(estimator).__name__, "params": params, "kinds": estimator.preparation_.kinds}
    if hasattr(estimator, "classes_"):
        about["classes"] = estimator.classes_.tolist()
        about["classes_dtype"] = "object" if estimator.classes_.dtype == object else estimator.classes_.dtype.str
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            about[name] = np.asarray(getattr(estimator, name)).tolist()
    return about


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
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.namelist():
                    if Path(member).name == member:
                        (folder / member).write_bytes(archive.read(member))
            about = json.loads((folder / ESTIMATOR).read_text())
            kind, kinds = about["kind"], about["kinds"]
            params = {key: value for key, value in about["params"].items() if key in estimator.get_params(deep=False)}
        except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
            raise InputError(f"{source} is not what `save` writes: save the estimator again") from error
        if kind != type(estimator).__name__:
            raise InputError(f"{source} holds a {kind}, not a {type(estimator).__name__}: load it as such")
        estimator.set_params(**params)
        estimator.trained_ = TrainedModel.open(folder, estimator.accelerator)
        estimator.preparation_ = Preparation(
            kinds, {modality: read_fitted(folder / f"{modality}.fitted.npz") for modality in kinds}
        )
        if (folder / "curves.csv").exists():
            estimator.curves_ = pd.read_csv(folder / "curves.csv")
        if "classes" in about:
            estimator.classes_ = np.array(about["classes"], dtype=np.dtype(about["classes_dtype"]))
        if "n_features_in_" in about:
            estimator.n_features_in_ = about["n_features_in_"]
        if "feature_names_in_" in about:
            estimator.feature_names_in_ = np.array(about["feature_names_in_"], dtype=object)
