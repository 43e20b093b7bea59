"""One stage of a pipeline that ran, run again from nothing, so that a fault costs seconds."""

import io
import shutil
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.faults.project import STAGE_LOCKS, Project

TABLES = "stages/datasets/tables/dvc.yaml"
COHORT, FEATURES = f"{TABLES}:cohort@wdbc", f"{TABLES}:features@wdbc"
SCREENS = "stages/datasets/enrico/dvc.yaml:features@screenshot"
TRAIN = "pipelines/train/dvc.yaml:train@wdbc-fl-i2moe"
EXPLAIN = "pipelines/explain/dvc.yaml:explain@wdbc-fl-i2moe"
KEPT = (".dvc/cache/runs", "results/.training", "results/.explaining", "data/.images", str(STAGE_LOCKS))


def forgotten(undisturbed: Project, folder: Path, *stages: str) -> Project:
    """Copy a project that ran; without what lock files, DVC's run cache and the stages' own stores know of stages."""
    project = undisturbed.copy(folder)
    for stage in stages:
        path, _, name = stage.rpartition(":")
        lock = (project.folder / path).with_name("dvc.lock") if path else project.folder / "dvc.lock"
        yaml, stream = YAML(), io.StringIO()
        content = yaml.load(lock.read_text())
        del content["stages"][name]
        yaml.dump(content, stream)
        lock.write_text(stream.getvalue())
    for kept in KEPT:
        shutil.rmtree(project.folder / kept, ignore_errors=True)
    return project
