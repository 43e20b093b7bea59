"""Runs the commands of the documents in a clone, as they are written but for what would take long.

- Settings are tiny (`documents.TINY`): a small model, one seed, one epoch, and one dataset where a command names none.
- An experiment ends with its trained models on the first dataset, and with the features of the others; test_pipeline.py
  shows that evaluation, explanation and report follow.
- Of a grid the first experiment runs; test_experiments.py runs a whole one.
- A queued experiment on files of one's own ends with the cohort, which reads them.
- An experiment that the documents name elsewhere ends with a trained model; test_experiments.py runs whole ones.
- On a dataset's real files, an experiment ends with the cohort of synthetic files that stand where these would. On its
  synthetic stand-in, tests/pipeline/test_DATASET_pipeline.py runs the whole experiment.
- `make` only says what it would do: it installs an environment, and runs the default pipeline or these very tests. CI
  runs `make lint` and `make test` on an empty machine.
- `pip install` only looks whether there is such an extra: its packages are large.
- `python -m pytest` is what runs here; only its path is looked at.
- Benchmarks take each time once; the one of faults, which takes most of an hour, only says which there are.
"""

import gzip
import importlib
import itertools
import json
import shlex
import shutil
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.docs.documents import ROOT, TINY, Command, write_params
from tests.pipeline.test_pipeline import DVC, run

DATASETS = ROOT / "stages/datasets"
TABLES = "stages/datasets/tables/dvc.yaml"
TRAIN, EVALUATE = (f"pipelines/{name}/dvc.yaml:{name}" for name in ("train", "evaluate"))
GRID = "pipelines/evaluate/dvc.yaml"  # what an experiment of a grid search ends with
TINY_SETTINGS = {key: value for key, _, value in (setting.partition("=") for setting in TINY)}


class Runner:
    """A clone in which commands run one after another."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def __call__(self, command: Command) -> None:
        """Run a command of a document; one that no rule here knows fails."""
        match command.words:
            case ("dvc", *_):
                self.dvc(command)
            case ("rm", "params.yaml") | ("git", "restore", *_) | ("python", "-m", "stages.settings"):
                self.run(*command.words)
            case ("git", "show", *_, ">", "params.yaml"):
                self.run("bash", "-c", shlex.join(command.words).replace("'>'", ">"))
            case ("pip", "install", "."):
                pass  # tests/i2moe/test_wheel.py runs the library with what the wheel asks for
            case ("pip", "install", package):
                extra = package.removeprefix("i2moe[").removesuffix("]")
                project = tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]
                assert extra in project["optional-dependencies"], f"{command}: no extra {extra!r}"
            case ("make", target, *variables):
                assert self.run("make", "--dry-run", target, *variables).strip()
            case (".", path):
                self.activate(path)
            case ("python", "-m", "pytest", path):
                assert (ROOT / path).is_file()
            case ("python", "-m", *_):
                self.program(command)
            case _:
                self.shared(command)

    def dvc(self, command: Command) -> None:
        """Run a command of DVC."""
        match command.words[1:]:
            case ("exp", "run", *_):
                self.experiment(command)
            case ("queue", "start", *_):
                self.run(*command.words)
                self.wait_for_queue()
            case (
                ("metrics" | "params", "diff")
                | ("plots", "diff", "HEAD")
                | ("plots", "show")
                | ("queue", "status")
                | ("exp", "list")
                | ("dag",)
                | ("repro", "-f", "settings")
            ):
                self.run(*command.words)
            case ("exp", "show", *_) | ("stage", "list", "--all") | ("dag", _, *_) | ("repro", "--dry", "--force"):
                self.view(command)
            case ("add",):  # which the documents say is refused here
                own = self.folder / "data/raw/own.csv"
                own.parent.mkdir(parents=True, exist_ok=True)
                own.touch()
                code, said = run([*command.words, str(own)], self.folder, self.environment, check=False)
                assert code != 0
                assert "ignore" in said
            case ("metrics", "diff", "main"):
                if not self.run("git", "branch", "--list", "main"):
                    self.run("git", "branch", "main")
                self.run(*command.words)
            case ("repro", *targets):
                self.reset()
                self.run("dvc", "repro", *(targets or ["settings"]))
            case ("exp", "diff", name) | ("exp", "branch", name, _) | ("metrics" | "plots", "diff", "HEAD", name):
                self.bring_experiment(name)
                self.run(*command.words)
            case _:
                self.shared(command)

    def view(self, command: Command) -> None:
        """Show experiments or the graph, in a terminal of 200 columns where it fits."""
        self.reset()
        if "--sort-by" in command.words:
            self.run("dvc", "repro", f"{EVALUATE}@wdbc-i2moe-mult")
        wide = self.environment | {"COLUMNS": "1000"}  # of the terminal; DVC would fold what does not fit
        shown = run([str(DVC), *command.words[1:]], self.folder, wide)
        assert "workspace" in shown or TRAIN in shown
        if command.words[1:] != ("exp", "show"):
            assert max(map(len, shown.splitlines())) <= 200

    def program(self, command: Command) -> None:
        """Run a program of the project."""
        match command.words[2:]:
            case ("stages.workers", *_):  # tests/stages/test_workers.py runs it in a smaller project
                assert "CUDA_VISIBLE_DEVICES" in self.run(*command.words, "--help")
            case ("stages.predict",):
                assert "--raw" in self.run(*command.words, "--help")
            case ("stages.profile", *options):
                self.profile(command, options)
            case ("stages.estimate",):
                self.reset()
                self.run("dvc", "repro", "reference")
                shutil.rmtree(self.folder / "results/.training", ignore_errors=True)  # of earlier commands
                assert "training, an estimate: 0:" in self.run(*command.words)
            case ("stages.forget", dataset, "--yes"):
                assert f"of {dataset}, to be removed" in self.run(*command.words)
            case ("stages.verify",):
                # Exit code 1 where an earlier command here took back a lock file.
                words = [sys.executable, *command.words[1:]]
                assert "objects in DVC's cache" in run(words, self.folder, self.environment, check=False)[1]
            case ("stages.share", *_):
                self.shared(command)
            case ("stages.report", "--against", other, *_):
                self.two_runs(command, other)
            case ("stages.train" | "stages.predict" as name, "wdbc", model, *options):
                self.trained_model(command, name, model, options)
            case _:
                self.benchmark(command)

    def on_devices(self, command: Command) -> None:
        """Train in two processes, or in a job of SLURM with one; test_scale_pipeline.py has one with two nodes."""
        match command.words:
            case ("SLURM_JOB_NAME=interactive", *rest):
                self(command._replace(words=tuple(rest)))
            case ("torchrun" | "srun" as program, *words, dataset, model):
                devices, first = (2, program) if program == "torchrun" else (1, words.pop(0))
                own = ("train.accelerator=cpu", f"train.devices={devices}")
                write_params(self.folder / "params.yaml", settings=(*TINY, *own))
                self.run("dvc", "repro", "settings", f"{TABLES}:features@{dataset}")
                with pytest.MonkeyPatch.context() as job:
                    for name, value in {"NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
                        job.setitem(self.environment, f"SLURM_{name}", value)
                    self.run(first, *words, dataset, model)
                assert "seed 0 was trained before" in self.run("python", "-m", "stages.train", dataset, model)
            case _:
                pytest.fail(f"{command}: no rule runs this; add one in tests/docs/runner.py")

    def profile(self, command: Command, options: list[str]) -> None:
        """Lay profiles over the project's own params.yaml, with folders where a dataset's real files belong."""
        shutil.copy(ROOT / "params.yaml", self.folder)
        for dataset in ("adni", "mimic", "imdb", "mosi", "enrico"):
            (self.folder / "data/raw" / dataset).mkdir(parents=True, exist_ok=True)
        assert "run.models: " in self.run(*command.words)
        self.check_params(command)
        self.run("python", "-m", "stages.settings")
        stand_ins = json.loads((self.folder / "results/settings/run.json").read_text())["stand_ins"]
        assert bool(stand_ins) == ("paper-smoke" in options)
        self.reset()

    def trained_model(self, command: Command, name: str, model: str, options: list[str]) -> None:
        """Run a command on a model of the breast-cancer table, whose rows without labels are its new samples."""
        self.reset()
        self.run("dvc", "repro", f"{TRAIN}@wdbc-{model}")
        if name == "stages.predict":
            table = pd.read_csv(self.folder / "data/examples/wdbc.csv").drop(columns="diagnosis").head(20)
            table.to_csv(self.folder / options[options.index("--raw") + 1], index=False)
        self.run(*command.words)
        if name == "stages.predict":
            new, out = (self.folder / options[options.index(option) + 1] for option in ("--raw", "--out"))
            drift = out.with_name(f"{out.stem}.drift.csv")
            assert len(pd.read_parquet(out)) == 20
            assert len(pd.read_csv(drift)) == 30  # columns
            for path in (new, out, drift):
                path.unlink()

    def shared(self, command: Command) -> None:
        """Run a command about DVC's remote or a shared cache; both are folders beside the clone."""
        remote, cache = (str(self.folder.with_name(name)) for name in ("remote", "cache"))
        words = command.words
        match words:
            case ("dvc", "remote", *options, _):
                self.run("dvc", "remote", *options, "--force", remote)
            case ("dvc", "cache", "dir", "--local", _):
                self.run(*words[:-1], cache)
                self.run("dvc", "config", "--local", "--unset", "cache.dir")
            case ("dvc", "config", "--local", key, _):
                self.run(*words)
                self.run("dvc", "config", "--local", "--unset", key)
            case ("dvc", "push"):
                self.run("dvc", "remote", "add", "--force", "--default", "team", remote)
                self.run(*words)
            case ("python", "-m", "stages.share", direction, "team"):
                self.run("dvc", "remote", "add", "--force", "--default", "team", remote)
                self.reset()
                stages = (f"pipelines/{name}/dvc.yaml:{name}@wdbc-i2moe-mult" for name in ("evaluate", "explain"))
                self.run("dvc", "repro", *stages, *(f"{name}@wdbc" for name in ("reference", "inputs", "compare")))
                said = {"push": "wdbc: the remote has all", "pull": "wdbc: 13 of 13 outputs are here"}
                assert said[direction] in self.run(*words)
            case _:
                self.on_devices(command)

    def two_runs(self, command: Command, other: str) -> None:
        """Compare a run with itself: committed, under the name of an experiment, or in another folder."""
        self.reset()
        self.run("dvc", "repro")
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "a run")
        if other.startswith(".."):
            shutil.copytree(self.folder, self.folder / other, ignore=shutil.ignore_patterns(".git", ".dvc"))
        elif other != "HEAD":
            self.run("git", "tag", "--force", other)
        assert "of 3 test scores, 0 are better and 0 worse" in self.run(*command.words)

    def benchmark(self, command: Command) -> None:
        """Run a benchmark, as briefly as it allows."""
        match command.words:
            case ("python", "-m", "benchmarks.speed", *options):
                assert any("/" in option for option in options), f"{command}: all cases take minutes, name one"
                assert "i2moe-mult |" in self.run(*command.words, "--pairs", "1")
            case ("python", "-m", "benchmarks.sealed", *_):
                assert "largest share is the planted role" in self.run("python", "-m", "benchmarks.sealed", "--quick")
            case ("python", "-m", "benchmarks.faults"):
                assert "kills" in self.run(*command.words, "--help")
            case ("python", "-m", "benchmarks.fuzz"):
                assert "| cohort" in self.run(*command.words, "cohort", "--count", "5")
            case ("python", "-m", "benchmarks.incomplete"):
                brief = ("--draws", "2", "--steps", "1", "--num-train", "60")
                assert "| complete cases |" in self.run(*command.words, *brief)
            case ("python", "-m", "benchmarks.planted", *options):
                assert options == ["--quick"], f"{command}: all cases take an hour of one core"
                assert "lattice mean: finds the planted role in 1.00" in self.run(*command.words)
            case _:
                pytest.fail(f"{command}: no rule runs this; add one in tests/docs/runner.py")

    def run(self, *words: str) -> str:
        """Run a program in the clone; return what it says."""
        programs = {"dvc": str(DVC), "python": sys.executable}
        return run([programs.get(words[0], words[0]), *words[1:]], self.folder, self.environment)

    def reset(self, document: Path | None = None) -> None:
        """Give params.yaml its tiny settings back, with the YAML blocks of a document."""
        write_params(self.folder / "params.yaml", pasted=document, settings=TINY)

    def bring_experiment(self, name: str) -> None:
        """Run an experiment in a copy, unless there is one of this name."""
        if name not in self.run("dvc", "exp", "list", "--name-only").split():
            self.reset()
            self.run("dvc", "exp", "run", "--temp", "--name", name, f"{TRAIN}@wdbc-i2moe-mult")

    def experiment(self, command: Command) -> None:
        """Run `dvc exp run` as far as the module says."""
        words = [word.replace("$PWD", str(self.folder)) for word in command.words]
        options = [word for word in words[3:] if word not in ("report", GRID, "--queue", "--temp")]
        in_workspace = not {"--queue", "--temp"} & set(words)
        assert ("report" in words) == in_workspace, f"{command}: in the workspace it would cost others' results"
        assert set(options[::2]) <= {"-S", "-C", "--name"}, f"{command}: no rule knows its options"
        if GRID in words:
            words = [word if word.endswith("]") else word.partition(",")[0] for word in words]
        words = [word for word in words if word not in ("report", GRID)]
        self.reset(command.document)
        dataset = command.document.parent.name
        if (DATASETS / dataset / "synthetic").is_dir():
            self.experiment_on(dataset, command)
            return
        first, *others = self.setting(command, "run.datasets")
        if first in OWN_DATA:
            OWN_DATA[first](self.folder / "data/raw")
            if not in_workspace:
                self.run(*words, f"{TABLES}:cohort@{first}")
                self.run("dvc", "queue", "start")
                self.wait_for_queue()
                return
        runs = list(itertools.product(self.setting(command, "run.models"), self.setting(command, "run.seeds")))
        trained = [f"{TRAIN}@{first}-{model}" for model in self.setting(command, "run.models")]
        self.run(*words, *trained, *(f"{TABLES}:features@{name}" for name in others))
        if in_workspace:
            self.check_params(command)
            for model, seed in runs:
                assert (self.folder / f"results/models/{first}/{model}/{seed}.ckpt").exists()

    def setting(self, command: Command, key: str) -> list[str]:
        """Return a list that a command sets, or that the tiny settings have."""
        return [name.strip() for name in command.settings.get(key, TINY_SETTINGS[key]).strip("[]").split(",")]

    def experiment_on(self, dataset: str, command: Command) -> None:
        """Run a command of a dataset's own document to the cohort, where it names files."""
        raw = command.settings.get(f"data.{dataset}.raw")
        if raw is None:
            whole = importlib.import_module(f"tests.pipeline.test_{dataset}_pipeline").TINY
            assert command.settings.items() <= whole.items(), f"{command}: no pipeline test runs this"
            return
        self.bring_files(dataset)
        words = [word for word in command.words if word != "report"]
        self.run(*words, f"stages/datasets/{dataset}/dvc.yaml:cohort")
        self.check_params(command)
        checked = json.loads((self.folder / "results/settings/run.json").read_text())
        assert checked["datasets"] == {dataset: dataset}  # not "adni (synthetic)", say: its files are elsewhere
        assert json.loads((self.folder / f"data/cohorts/{dataset}.json").read_text())["samples"] > 0

    def bring_files(self, dataset: str) -> None:
        """Put synthetic files where a dataset's real ones belong, under their names."""
        self.run("python", "-m", f"stages.datasets.{dataset}.synthetic.synthesize")
        raw = self.folder / "data/raw" / dataset
        raw.parent.mkdir(exist_ok=True)
        shutil.rmtree(raw, ignore_errors=True)  # of an earlier command
        shutil.move(self.folder / "data/synthetic" / dataset, raw)
        if dataset in ("imdb", "mmhs"):
            vectors = raw / "vectors.bin"
            (raw / "GoogleNews-vectors-negative300.bin.gz").write_bytes(gzip.compress(vectors.read_bytes()))
            vectors.unlink()

    def check_params(self, command: Command) -> None:
        """Look whether params.yaml has what a command sets."""
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load((self.folder / "params.yaml").read_text())
        for key, text in command.settings.items():
            value = params
            for name in key.split("."):
                value = value[name]
            assert value == yaml.load(text), f"{command}: {key}"

    def wait_for_queue(self) -> None:
        """Wait until no experiment of the queue is waiting or running; all must have succeeded."""
        deadline = time.monotonic() + 400
        while any(state in (status := self.run("dvc", "queue", "status")) for state in ("Queued", "Running")):
            assert time.monotonic() < deadline, status
            time.sleep(5)
        failed = [line.split()[1] for line in status.splitlines() if line.endswith("Failed")]
        assert not failed, "\n".join(self.run("dvc", "queue", "logs", name) for name in failed)

    def activate(self, script: str) -> None:
        """Activate the environment of these tests from where `make` puts the project's own."""
        if not (Path(sys.prefix) / "bin/activate").exists():
            pytest.skip("these tests run without a virtual environment")
        (self.folder / ".venv").symlink_to(sys.prefix)
        found = self.run("bash", "-c", f". {script} && command -v dvc")
        assert found.strip().endswith("bin/dvc")


def write_ad_data(raw: Path) -> None:
    """Write a synthetic table with some of the columns of ad_data.csv."""
    generator = np.random.default_rng(0)
    raw.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame({name: generator.normal(size=90) for name in ("tau", "p_tau", "Ab_42", "age", "ACE_CD143")})
    table["male"] = generator.integers(0, 2, 90)
    table["Genotype"] = generator.choice(["E3E3", "E3E4", "E4E4"], 90)
    table["Class"] = np.where(table["tau"] + table["ACE_CD143"] > 0, "Impaired", "Control")
    table.rename_axis("rownames").to_csv(raw / "ad_data.csv")


def write_heart(raw: Path) -> None:
    """Write synthetic visits, three of each patient, and a signal of each."""
    generator = np.random.default_rng(0)
    (raw / "heart").mkdir(parents=True, exist_ok=True)
    signal = generator.normal(size=(90, 6))
    visits = pd.DataFrame(
        {
            "visit": [f"v{row:02d}" for row in range(90)],
            "patient": [f"p{row // 3}" for row in range(90)],
            "age": 40 + np.arange(90) % 30,
            "sex": ["f" if row % 2 else "m" for row in range(90)],
            "ejection_fraction": 50 + 10 * signal[:, 0],
        }
    )
    visits.to_csv(raw / "heart/visits.csv", index=False)
    np.save(raw / "heart/ecg.npy", signal)


OWN_DATA = {"ad": write_ad_data, "heart": write_heart}
