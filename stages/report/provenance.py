"""Where a page comes from: commit, files that differ from it, date of the run, and parameters that were changed."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.shared.base import paths
from stages.shared.runs import Run

WRITTEN = ("results/", "reports/", "dvc.lock")  # by the run itself


@dataclass(frozen=True)
class Provenance:
    """What a page says of its origin."""

    commit: str  # empty outside of git
    changed: list[str]  # files that differ from the commit, but for those that the run writes
    date: str  # the day of the newest training, UTC
    parameters: list[tuple[str, str, str]]  # key, value in the commit, value here


def provenance(run: Run) -> Provenance:
    """Return where the results of a run come from; without git only the date."""
    commit = _git("rev-parse", "HEAD").strip()
    status = _git("status", "--porcelain", "--untracked-files=no", "-z").split("\0")
    changed = sorted(entry[3:] for entry in status if entry)
    committed = _git("show", f"HEAD:./{paths.PARAMS}")
    return Provenance(
        commit=commit[:12],
        changed=[name for name in changed if not name.startswith(WRITTEN) and not name.endswith("dvc.lock")],
        date=_newest(run),
        parameters=changed_parameters(committed, paths.PARAMS.read_text(encoding="utf-8")) if committed else [],
    )


def changed_parameters(before: str, after: str) -> list[tuple[str, str, str]]:
    """Return the keys of two YAML files whose values differ, with both; a dash where there is none.

    Examples:
        >>> changed_parameters("run: {seeds: [0, 1], models: [mult]}", "run: {seeds: [0], models: [mult]}")
        [('run.seeds', '[0, 1]', '[0]')]
    """
    try:
        first, second = (_flat(YAML(typ="safe", pure=True).load(content)) for content in (before, after))
    except (YAMLError, ValueError, RecursionError):  # also a number or date that is none
        return []
    keys = [*first, *(key for key in second if key not in first)]
    return [
        (key, _as_yaml(first[key]) if key in first else "–", _as_yaml(second[key]) if key in second else "–")
        for key in keys
        if repr(first.get(key, ...)) != repr(second.get(key, ...))  # 1, 1.0 and true are equal, and a NaN is not
    ]


def _flat(block: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(block, dict):
        return {}
    found: dict[str, object] = {}
    for key, value in block.items():
        name = f"{prefix}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found


def _as_yaml(value: object) -> str:
    """Write a value as params.yaml has it, in one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = sys.maxsize
    written = StringIO()
    yaml.dump(value, written)
    return written.getvalue().removesuffix("...\n").strip()


def _newest(run: Run) -> str:
    files = [
        paths.curves(dataset, model, seed) for dataset in run.datasets for model in run.models for seed in run.seeds
    ]
    times = [file.stat().st_mtime for file in files if file.exists()]
    return datetime.fromtimestamp(max(times), UTC).date().isoformat() if times else ""


def _git(*arguments: str) -> str:
    """Return what git prints; nothing where there is no git or no commit."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout
