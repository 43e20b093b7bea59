"""New samples of a dataset that comes as tables: prepared with what was fitted on its train split."""

from pathlib import Path

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.tables.kinds import kinds_of
from stages.datasets.tables.rows import presence_of, raw_rows
from stages.datasets.tables.settings import TableParams, load_table_params
from stages.datasets.tables.source import read_source
from stages.shared.base import paths
from stages.shared.new import NewSamples


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new samples, whose files have no labels or ones that are not looked at.

    Args:
        dataset: a name under data.tables.
        raw: a file, or a folder with files of the same names as those of the dataset.
        folder: for the arrays.

    Raises:
        InputError: for files that do not fit those of train, by file and column.
    """
    params = load_table_params(dataset).model_copy(update={"raw": str(raw)})
    source = read_source(_without_others(params, raw))
    presence = presence_of(raw_rows(source, params))
    kept = presence.any(axis=1) if params.incomplete == "keep" else presence.all(axis=1)
    if not kept.any():
        raise InputError(f"{raw}: no sample has {'any' if params.incomplete == 'keep' else 'every'} modality")
    own = source.of(source.table.index[kept].to_series())
    why = "without any modality" if params.incomplete == "keep" else "without some modality"
    unseen: dict[str, float] = {}
    for name, kind in kinds_of(raw_rows(own, params)).items():
        kind.write(folder, read_fitted(paths.fitted(dataset, name)), {"source": str(raw)})
        unseen |= {f"{name}: {column}": share for column, share in kind.unseen.items()}
    return NewSamples(own.table.index.tolist(), source.removed | {why: int((~kept).sum())}, unseen)


def _without_others(params: TableParams, raw: Path) -> TableParams:
    """Return the settings without the files that hold labels or groups alone, where they are not there."""
    if params.files is None:
        return params
    files = [name for name in params.files if (raw / name).exists() or name in _with_features(params)]
    return params.model_copy(update={"files": files})


def _with_features(params: TableParams) -> list[str]:
    """Return the files that modalities name."""
    return [own.file for own in params.modalities.values() if own.file is not None]
