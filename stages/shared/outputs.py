"""What DVC knows of outputs: whose they are, which lock files name them, and their objects in its cache.

Lock files are in the project's folder and in every commit of git, experiments and the reflog included; DVC's run cache
has an entry of each stage that ever ran, in the same form.
"""

import io
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from i2moe.base.errors import InputError
from i2moe.contract.reading import read_json
from stages.shared.base import paths
from stages.shared.base.params import parse_yaml

DATA = ("cohorts", "features", "interim", "synthetic", "examples")  # folders of data/ that hold outputs
OF_ALL = ("settings", "plots")  # folders of results/ that are not by dataset
REMEDY = "`git restore` it, or delete it and run `dvc repro`"
REPORT = Path("results/plots"), paths.REPORTS  # what shows all datasets that ran


class Output(NamedTuple):
    """An output as a lock file has it."""

    path: Path  # from the project's root
    md5: str  # of its content; a folder's ends in .dir

    @property
    def dataset(self) -> str | None:
        """Whose it is."""
        return owner(self.path)


def owner(path: Path) -> str | None:
    """Return the dataset that an output is of, by its place; none of raw files and of what is of all datasets.

    Examples:
        >>> owner(Path("data/cohorts/mimic.visits.csv")), owner(Path("results/models/mimic/mult/0.ckpt"))
        ('mimic', 'mimic')
        >>> owner(Path("data/raw/mimic/hosp")), owner(Path("results/settings/mimic/mult.json"))
        (None, None)
    """
    top, kind, name = (*path.parts, "", "", "")[:3]
    if (top == "data" and kind in DATA) or (top == "results" and kind not in OF_ALL):
        return name.partition(".")[0] or None
    return None


def lock_files() -> list[Path]:
    """Return the lock files in the project's folder."""
    return [path for pattern in ("dvc.lock", "pipelines/*/dvc.lock", "stages/datasets/*/dvc.lock")
            for path in sorted(Path().glob(pattern))]  # fmt: skip


def locked_stages(text: str, source: object = "a dvc.lock of git's history") -> dict[str, list[Output]]:
    """Return the outputs of each stage of a lock file.

    Raises:
        InputError: for what is no lock file, naming where the text is from.
    """
    stages = _parse(text, source).get("stages") or {}
    if not isinstance(stages, dict):
        raise InputError(f"{source} is no lock file of DVC: {REMEDY}")
    return {name: _outputs(stage, source) for name, stage in stages.items()}


def known_outputs(runs: Path) -> set[Output]:
    """Return every output that a lock file, a commit or the run cache names.

    Args:
        runs: the folder of the run cache.
    """
    locked = [locked_stages(path.read_text(encoding="utf-8", errors="replace"), path) for path in lock_files()]
    locked += [locked_stages(text) for text in _in_git("dvc.lock")]
    found = {output for stages in locked for stage in stages.values() for output in stage}
    found |= {output for path in run_entries(runs) for output in run_outputs(path)}
    for text in [*_added(), *_in_git(".dvc")]:
        source = "a file of `dvc add`"
        found |= {Output(Path("added"), output.md5) for output in _outputs(_parse(text, source), source)}
    return found


def run_entries(runs: Path) -> list[Path]:
    """Return the files of the run cache."""
    return sorted(path for path in runs.glob("*/*/*") if path.is_file())


def run_outputs(path: Path) -> list[Output]:
    """Return the outputs of a stage that ran."""
    return _outputs(_parse(path.read_text(encoding="utf-8", errors="replace"), path), path)


class Objects:
    """The objects of DVC's cache, by hash; a name that is no hash is a file that a kill left half written."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, list[Path]] = {}
        for pattern in ("files/md5/??/*", "??/*"):  # DVC 3's and, still used for some listings, DVC 2's
            for path in folder.glob(pattern):
                self.files.setdefault(path.parent.name + path.name, []).append(path)

    def whole(self, hashes: Iterable[str]) -> set[str]:
        """Return hashes with those of the files in folders among them."""
        return {own for md5 in hashes for own in (md5, *self.inside(md5).values())}

    def inside(self, md5: str) -> dict[str, str]:
        """Return the files of a folder, hash by path; of a file, or a folder whose listing is not here, none."""
        if not md5.endswith(".dir") or md5 not in self.files:
            return {}
        path = self.files[md5][0]
        entries = read_json(path, "delete it, and run `dvc repro`")
        try:
            return {str(entry["relpath"]): str(entry["md5"]) for entry in entries}
        except (TypeError, KeyError) as error:
            raise InputError(f"{path} does not list a folder: delete it, and run `dvc repro`") from error

    def names(self, md5: str, word: str) -> bool:
        """Return whether a file, or a file of a folder, has a word in its name or in its bytes."""
        within = self.inside(md5)
        own = [path for key in (within.values() if within else [md5]) for path in self.files.get(key, [])]
        return any(word in name for name in within) or any(word.encode() in path.read_bytes() for path in own)


def _outputs(stage: Any, source: object) -> list[Output]:  # noqa: ANN401 (anything may be there)
    try:
        return [Output(Path(out["path"]), str(out["md5"])) for out in stage.get("outs") or [] if "md5" in out]
    except (AttributeError, TypeError, KeyError) as error:
        raise InputError(f"{source} is no lock file of DVC: {REMEDY}") from error


def _parse(text: str, source: object) -> dict[str, Any]:
    from ruamel.yaml.error import YAMLError

    try:
        content = parse_yaml(text, str(source)) or {}
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{source} is not valid YAML: {REMEDY}") from error
    if not isinstance(content, dict):
        raise InputError(f"{source} is no lock file of DVC: {REMEDY}")
    return content


def _added() -> Iterator[str]:
    """Yield the files with which `dvc add` and `dvc import` track what no stage makes."""
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            (Path(folder) / name).read_text(encoding="utf-8", errors="replace")
            for name in names
            if name.endswith(".dvc")
        )


def _in_git(end: str) -> Iterator[str]:
    """Yield every version, in any commit, of the files whose name ends so."""
    listed = git("rev-list", "--all", "--reflog", "--objects").decode(errors="replace").splitlines()
    hashes = [line.partition(" ")[0] for line in listed if line.endswith(end)]
    stream = io.BytesIO(git("cat-file", "--batch", text="\n".join(hashes)))
    while header := stream.readline().split():
        if header[-1] != b"missing":  # as in a shallow clone
            content = stream.read(int(header[2]) + 1)
            if header[1] == b"blob":  # the folder .dvc ends so too
                yield content.decode(errors="replace")


def git(*arguments: str, text: str = "") -> bytes:
    """Return what git prints; nothing where there is no git or it fails."""
    try:
        return subprocess.run(["git", *arguments], input=text.encode(), capture_output=True, check=True).stdout  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return b""
