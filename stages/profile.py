"""Lay profiles, such as the paper's whole experiment, over params.yaml; no stage. `git restore` undoes it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.contract.planted import PLANTED_FILE
from stages.report.provenance import changed_parameters
from stages.settings.params import Params, check_params
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import read_params
from stages.shared.files import write_whole

PROFILES = Path("profiles")
MADE_HERE = (Path("data/synthetic"), paths.EXAMPLES)  # raw files that stages write

Names = Annotated[list[str], typer.Argument(help="files of the folder profiles/, without .yaml; later ones win")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set-param", "-S", metavar="KEY=VALUE", help="after the profiles, such as data.adni.raw=FOLDER"),
]


def profile(names: Names, settings: Settings = None) -> None:
    """Write profiles into params.yaml, whose comments stay, and print what that changed."""
    after = merged([*(overlay(name) for name in names), *(parse_setting(setting) for setting in settings or [])])
    before = paths.PARAMS.read_text(encoding="utf-8")
    params = check_params(YAML(typ="safe").load(after), paths.PARAMS)
    require_raw(params)
    write_whole(paths.PARAMS, lambda partial: partial.write_text(after, encoding="utf-8"))
    changed = changed_parameters(before, after)
    for key, old, new in changed:
        print(f"{key}: {old} → {new}")
    print(
        f"{paths.PARAMS} is changed; `git restore {paths.PARAMS}` undoes this, and other edits without a commit"
        if changed
        else f"{paths.PARAMS} has all of this already"
    )


def overlay(name: str) -> dict[str, Any]:
    """Read a profile.

    Raises:
        InputError: for one that is not there, or is not YAML.
    """
    known = sorted(path.stem for path in PROFILES.glob("*.yaml"))
    if name not in known:
        raise InputError(f"unknown profile {name!r}; {nearest(name, known)}")
    return read_params(PROFILES / f"{name}.yaml")


def parse_setting(setting: str) -> dict[str, Any]:
    """Turn KEY=VALUE into nested blocks.

    Raises:
        InputError: where there is no key or no value, or the value is not YAML.

    Examples:
        >>> parse_setting("data.adni.raw=data/raw/adni")
        {'data': {'adni': {'raw': 'data/raw/adni'}}}
    """
    key, sign, text = setting.partition("=")
    if not (key and sign):
        raise InputError(f"-S {setting}: allowed: KEY=VALUE, such as data.adni.raw=data/raw/adni")
    try:
        value = YAML(typ="safe").load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"-S {setting}: the value is not valid YAML: {' '.join(str(error).split())}") from error
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def merged(overlays: list[dict[str, Any]]) -> str:
    """Return the text of params.yaml with blocks of other values in it; the later win.

    Raises:
        InputError: where params.yaml is missing or broken.
    """
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    read_params()  # with errors that name what is wrong
    params = parse_yaml_for_update(paths.PARAMS.read_text(encoding="utf-8"), str(paths.PARAMS))
    for one in overlays:
        _lay(one, params)
    return str(dumps_yaml(params))


def _lay(block: dict[str, Any], under: dict[str, Any]) -> None:
    for key, value in block.items():
        if isinstance(value, dict) and isinstance(under.get(key), dict):
            _lay(value, under[key])
        else:
            under[key] = value


def require_raw(params: Params) -> None:
    """Refuse to start where raw files that no stage makes are not there, or are a stand-in under another name.

    Raises:
        InputError: naming every key, its path, and where to read what belongs there.
    """
    wrong = []
    for dataset in params.run.datasets:
        raw = Path(params.data.raw()[dataset])
        if any(raw.is_relative_to(folder) for folder in MADE_HERE):
            continue
        key, guide = ("tables.", "tables") if dataset in params.data.tables else ("", dataset)
        problem = "is missing" if not raw.exists() else "is synthetic" if (raw / PLANTED_FILE).exists() else ""
        if problem:
            wrong.append(f"data.{key}{dataset}.raw: {raw} {problem} (stages/datasets/{guide}/README.md)")
    if wrong:
        raise InputError(
            f"{'; '.join(wrong)}: put the raw files there, name where they are (-S data.{params.run.datasets[0]}"
            ".raw=FOLDER), or leave datasets out (-S 'run.datasets=[…]'); nothing was changed"
        )


if __name__ == "__main__":
    run(profile)
