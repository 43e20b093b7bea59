"""How the blocks of `models` in params.yaml are merged: every dataset's models in full."""

from typing import Any

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest


def resolve_models(raw: dict[str, Any]) -> dict[str, Any]:
    """Resolve every dataset's models; what is not a block is left for validation to refuse.

    Args:
        raw: params.yaml as it was read.

    Raises:
        InputError: for a base that is not a model, or that leads back to where it started.
    """
    models = raw.get("models")
    if not isinstance(models, dict):
        return raw
    for level in ("defaults", "shared"):
        if not isinstance(models.get(level) or {}, dict):
            return raw | {"models": {level: models[level]}}
    data = _block(raw, "data")
    tables = _block(data, "tables")
    named = [name for name in [*models, *tables, *data] if name not in ("defaults", "shared", "tables")]
    datasets = list(dict.fromkeys(named))
    return raw | {"models": {dataset: _resolve_dataset(models, dataset) for dataset in datasets}}


def bases(raw: dict[str, Any], dataset: str, names: list[str]) -> dict[str, str]:
    """Return which model each of a dataset's models starts from, where both are among the names.

    Args:
        raw: params.yaml as it was read, once it was checked.
        dataset: whose models.
        names: of models.
    """
    own, shared = (_block(raw["models"], key) for key in (dataset, "shared"))
    found = {name: _block(own, name).get("base", _block(shared, name).get("base")) for name in names}
    return {name: base for name, base in found.items() if base in names}


def _block(settings: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a block of settings, or an empty one where there is none; validation says so."""
    block = settings.get(key)
    return block if isinstance(block, dict) else {}


def _resolve_dataset(models: dict[str, Any], dataset: str) -> Any:  # noqa: ANN401 (the file may hold anything)
    """Resolve the dataset's own models and the shared ones."""
    own = models.get(dataset, {})
    if not isinstance(own, dict):
        return own
    names = [name for name in dict.fromkeys([*(models.get("shared") or {}), *own]) if name != "defaults"]
    return {name: _resolve_model(models, dataset, name, names) for name in names}


def _resolve_model(
    models: dict[str, Any], dataset: str, name: str, names: list[str], chain: tuple[str, ...] = ()
) -> Any:  # noqa: ANN401
    """Merge a model's blocks, later ones over earlier ones.

    Without a `base`: models.defaults, models.shared.NAME, models.DATASET.defaults, models.DATASET.NAME. With one: the
    base model as it is for the dataset, models.shared.NAME, models.DATASET.NAME.

    Raises:
        InputError: when the base is not a model in `names`, or leads back to one of the `chain` above this one.
    """
    own = models.get(dataset, {})
    shared = (models.get("shared") or {}).get(name) or {}
    block = own.get(name) or {}
    if not (isinstance(shared, dict) and isinstance(block, dict)):
        return block if isinstance(shared, dict) else shared
    base = block.get("base", shared.get("base"))
    layers = [shared, own.get("defaults") or {}, block]
    bottom = models.get("defaults") or {}
    if base is not None:
        chain = (*chain, name)
        others = [other for other in names if other != name]
        if base not in others:
            raise InputError(f"models.{dataset}.{name}: base {base!r} is not another model; {nearest(base, others)}")
        if base in chain:
            raise InputError(f"models.{dataset}.{name}: its base leads back to it: {' → '.join([*chain, base])}")
        bottom, layers = _resolve_model(models, dataset, base, names, chain), [shared, block]
    for layer in layers:
        if not (isinstance(bottom, dict) and isinstance(layer, dict)):
            return layer
        bottom = merge(bottom, {key: value for key, value in layer.items() if key != "base"})
    return bottom


def merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Return base with override's values, block by block; a block that names another `method` replaces the base's.

    Examples:
        >>> base = {"epochs": 15, "fusion": {"method": "mult", "num_heads": 4}}
        >>> merge(base, {"epochs": 2, "fusion": {"num_heads": 8}})
        {'epochs': 2, 'fusion': {'method': 'mult', 'num_heads': 8}}
        >>> merge(base, {"fusion": {"method": "lrmf"}})
        {'epochs': 15, 'fusion': {'method': 'lrmf'}}
    """
    merged = dict(base)
    for key, value in override.items():
        under = merged.get(key)
        if (
            isinstance(value, dict)
            and isinstance(under, dict)
            and value.get("method", under.get("method")) == under.get("method")
        ):
            merged[key] = merge(under, value)
        else:
            merged[key] = value
    return merged
