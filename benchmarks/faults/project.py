"""A small project in which faults happen: a table and synthetic screens, trained in seconds, in a folder of its own."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = Path(__file__).parents[2]
DVC = str(Path(sys.executable).with_name("dvc"))
SETTINGS = (
    "run.datasets=[wdbc,enrico]",
    "run.models=[fl-i2moe]",  # which has the most stores of its own: of images, of trainings, of tokens
    "run.seeds=[0,1]",
    "run.max_epochs=3",
    "synthetic.enrico.screens=60",
    "data.enrico.image.height=64",
    "data.enrico.image.width=32",
    "models.defaults.hidden_dim=8",
    "models.defaults.encoder_dim=8",
    "models.defaults.num_patches=2",
    "models.wdbc.defaults.hidden_dim=8",
    "models.enrico.dense.hidden_dim=8",
    "explain.tokens.samples=6",
    "explain.tokens.draws=2",
    "explain.tokens.top=2",
)
OF_DVC = Path(".dvc", "tmp")  # where DVC notes who runs, and stages that they do
RWLOCK, STAGE_LOCKS = OF_DVC / "rwlock", OF_DVC / "stages"
OUTPUTS = ("data/cohorts", "data/features", "data/synthetic", "data/examples", "results", "reports")
LOCKS = ("dvc.lock", "pipelines/*/dvc.lock", "stages/datasets/*/dvc.lock")
HASH = re.compile(r"[0-9a-f]{32}")  # a folder's has an ending besides
RUNNING = "Running stage '"


class Done(NamedTuple):
    """A program that ended: its exit code, and what it said."""

    code: int
    said: str


@dataclass(frozen=True)
class Project:
    """A copy of this project with small settings."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its programs: nothing that DVC remembers is shared with other projects."""
        own = {
            "PATH": f"{Path(DVC).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": ".",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder.with_name(f"{self.folder.name}.site")),
            "OMP_NUM_THREADS": "1",
        }
        return os.environ | own

    def start(self, *words: str, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
        """Start a program in a process group of its own, as a terminal does."""
        return subprocess.Popen(  # noqa: S603
            [{"dvc": DVC, "python": sys.executable}.get(words[0], words[0]), *words[1:]],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=before,  # noqa: PLW1509 (limits, of a process without threads)
            errors="replace",
        )

    def run(self, *words: str, before: Callable[[], None] | None = None) -> Done:
        """Run a program to its end."""
        process = self.start(*words, before=before)
        said = process.communicate()[0]
        return Done(process.returncode, said)

    def must(self, *words: str) -> str:
        """Run a program that does not fail.

        Raises:
            RuntimeError: when it does.
        """
        code, said = self.run(*words)
        if code:
            raise RuntimeError(f"{' '.join(words)} ended with {code}:\n{said[-3000:]}")
        return said

    def repro(self, *targets: str) -> Done:
        """Run the pipeline, or as much of it as some stages need."""
        return self.run("dvc", "repro", *targets)

    def files(self) -> dict[str, str]:
        """Hash every output; folders that begin with a dot are no outputs."""
        found = {}
        for top in OUTPUTS:
            for path in sorted((self.folder / top).rglob("*")):
                place = path.relative_to(self.folder)
                if path.is_file() and not any(part.startswith(".") for part in place.parts):
                    found[place.as_posix()] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        return found

    def done(self) -> dict[str, str]:
        """Return the hash of each file that lock files name, by lock file, stage and file: what DVC takes for done.

        Of an entry that a kill cut off, DVC runs the stage again: what it lacks is not taken for done.
        """
        paths = [path for pattern in LOCKS for path in sorted(self.folder.glob(pattern))]
        return {
            f"{path.relative_to(self.folder)}:{name}:{file.get('path')}": file["md5"][:32]
            for path in paths
            for name, stage in locked(path).items()
            if isinstance(stage, dict)
            for file in [*(stage.get("deps") or []), *(stage.get("outs") or [])]
            if isinstance(file, dict) and HASH.match(str(file.get("md5")))
        }

    def change_params(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change params.yaml with a function."""
        path = self.folder / "params.yaml"
        params = YAML(typ="safe", pure=True).load(path.read_text())
        change(params)
        path.write_text(json.dumps(params, indent=2))  # JSON is YAML

    def copy(self, folder: Path) -> "Project":
        """Copy the project as it stands."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)


def locked(path: Path) -> dict[str, Any]:
    """Return the stages of a lock file; none of one that a kill cut off, for DVC refuses it."""
    try:
        found = YAML(typ="safe").load(path.read_text())
    except YAMLError:
        return {}
    stages = found.get("stages") if isinstance(found, dict) else None
    return stages if isinstance(stages, dict) else {}


def new_project(folder: Path, settings: Iterable[str] = SETTINGS) -> Project:
    """Copy this project as it stands, without data and results, in a repository of its own; lock files are empty."""
    from dvc.utils.hydra import apply_overrides

    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.endswith("dvc.lock") and not name.startswith("results/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    project = Project(folder)
    apply_overrides(folder / "params.yaml", list(settings))
    user = ("-c", "user.name=faults", "-c", "user.email=faults@example.org")
    for words in (("init", "--quiet"), ("add", "--all"), (*user, "commit", "--quiet", "--message", "as it stands")):
        project.must("git", *words)
    return project


def stages_of(process: "subprocess.Popen[str]", said: list[str]) -> Iterator[str]:
    """Yield the name of each stage as it starts, and keep all that is said."""
    assert process.stdout is not None  # noqa: S101 (as started)
    for line in process.stdout:
        said.append(line)
        if line.startswith(RUNNING):
            yield line[len(RUNNING) :].partition("'")[0]


def end(process: "subprocess.Popen[str]", said: list[str]) -> Done:
    """Read the rest of what a program says."""
    rest = process.communicate()[0]
    return Done(process.returncode, "".join([*said, rest or ""]))


def kill_all(process: "subprocess.Popen[str]") -> None:
    """Kill a program and all that it started, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_alone(process: "subprocess.Popen[str]", seconds: float = 10) -> bool:
    """Return whether nothing is left of a program's process group, after some seconds at most."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
