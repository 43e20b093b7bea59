"""Files that are broken, cut off or changed: in the workspace, in DVC's cache, and under a running stage."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.faults.again import FEATURES, TABLES, TRAIN, forgotten
from benchmarks.faults.outcomes import Outcome, judge, message
from benchmarks.faults.processes import has, until
from benchmarks.faults.project import RWLOCK, STAGE_LOCKS, Done, Project, end

ARRAY = Path("data/features/wdbc/mean.npy")
VERIFY = ("python", "-m", "stages.verify")
HALF = 0.5
CHANGES = 8  # of a raw file, from the start of a stage to its end


def flip(path: Path) -> None:
    """Change one bit of a file in its place, with its size, its time and its rights as they were."""
    _edit(path, lambda content: content[:-99] + bytes([content[-99] ^ 1]) + content[-98:])


def cut(path: Path) -> None:
    """Cut a file off in the middle, with its time and its rights as they were."""
    _edit(path, lambda content: content[: int(len(content) * HALF)])


def cut_word(path: Path, word: bytes) -> None:
    """Cut a file off in the first place of a word."""
    _edit(path, lambda content: content[: content.index(word) + len(word) // 2])


def _edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.stat()
    content = change(path.read_bytes())
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.truncate(len(content))
        stream.write(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def objects(project: Project, path: Path) -> Path:
    """Return the object of DVC's cache that a file is a copy of."""
    md5 = hashlib.md5((project.folder / path).read_bytes(), usedforsecurity=False).hexdigest()
    return project.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def broken(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Break features: in the workspace, where DVC sees it, and where it does not."""
    for name, change in (("cut off", cut), ("with another bit", flip)):
        project = undisturbed.copy(folder / f"workspace-{change.__name__}")
        change(project.folder / ARRAY)
        (project.folder / ARRAY).touch()
        yield judge(f"a feature file {name}", project, undisturbed, Done(0, ""), said="(DVC makes it again)")

        project = undisturbed.copy(folder / f"unseen-{change.__name__}")
        project.must("dvc", "status")  # which notes sizes and times
        change(project.folder / ARRAY)
        yield judge(
            f"a feature file {name}, its time as before, then `stages.verify`",
            project,
            undisturbed,
            project.run(*VERIFY),
        )

        project = undisturbed.copy(folder / f"cache-{change.__name__}")
        change(objects(project, ARRAY))
        (project.folder / ARRAY).unlink()
        project.must("dvc", "checkout", "data/features/wdbc")
        yield judge(
            f"an object of DVC's cache {name}, checked out, then `stages.verify`",
            project,
            undisturbed,
            project.run(*VERIFY),
        )


def cut_features_by_hand(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Train by hand on features that are cut off."""
    project = forgotten(undisturbed, folder / "by-hand", TRAIN)
    cut(project.folder / ARRAY)
    (project.folder / ARRAY).touch()
    done = project.run("python", "-m", "stages.train", "wdbc", "fl-i2moe")
    yield judge("a feature file cut off, then a stage by hand", project, undisturbed, done)


def cut_stores(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Cut off what is no output: DVC's lock file, and what stages keep to go on from."""
    project = undisturbed.copy(folder / "lock")
    cut_word(project.folder / "pipelines/train/dvc.lock", b"hash:")
    done = project.repro()
    (project.folder / "pipelines/train/dvc.lock").unlink()
    yield judge("a lock file cut off, then removed", project, undisturbed, done)

    project = forgotten(undisturbed, folder / "rwlock", FEATURES)
    (project.folder / RWLOCK).write_text('{"write": {')
    done = project.repro()
    (project.folder / RWLOCK).unlink()
    yield judge("DVC's file of who runs cut off, then removed", project, undisturbed, done)


def table(seed: int) -> pd.DataFrame:
    """Return a synthetic table that takes a cohort and features some seconds to read."""
    rng = np.random.default_rng(seed)
    columns = {f"x_{index}": rng.normal(size=40_000).round(6) for index in range(40)}
    return pd.DataFrame(columns | {"label": rng.integers(0, 2, 40_000)})


def changed_meanwhile(new: Project, folder: Path) -> Iterator[Outcome]:
    """Replace a raw table at moments of the stages that read it."""
    target = f"{TABLES}:features@raw"
    projects = [new.copy(folder / f"raw-{name}") for name in ("before", "after")]
    for seed, project in enumerate(projects):
        add_table(project, seed)
    started = time.monotonic()
    process = projects[1].start("dvc", "repro", target)
    until(has(projects[1], f"{STAGE_LOCKS}/*tables-cohort-raw*.lock"))
    begin = time.monotonic() - started
    if (done := end(process, [])).code:
        raise RuntimeError(done.said)
    span = time.monotonic() - started - begin
    outcomes = []
    for number in range(CHANGES):
        project = projects[0].copy(folder / f"raw-{number}")
        process = project.start("dvc", "repro", target)
        until(has(project, f"{STAGE_LOCKS}/*tables-cohort-raw*.lock"))
        time.sleep(span * number / CHANGES)
        (project.folder / "data/raw/raw.csv").write_bytes((projects[1].folder / "data/raw/raw.csv").read_bytes())
        done = end(process, [])
        refused = message(done, str(project.folder)) if done.code else "(the change came before or after)"
        # What was done of the old table and then of the new one are both right; the repetition has the last word.
        outcome = judge("", project, projects[1], done, said=refused, targets=(target,))
        outcomes.append(replace(outcome, accepted=0))
    told = [outcome for outcome in outcomes if outcome.code]
    yield replace(
        told[0] if told else outcomes[0],
        fault=f"raw table replaced under stages that read it, at {CHANGES} moments",
        same=all(outcome.same for outcome in outcomes),
        accepted=sum(not outcome.same for outcome in outcomes),
        note="; ".join(sorted({outcome.note for outcome in outcomes} - {""})) or ("" if told else "never told"),
    )


def add_table(project: Project, seed: int) -> None:
    """Add a table to a project, as its only dataset."""

    def change(params: dict[str, dict[str, object]]) -> None:
        params["run"]["datasets"] = ["raw"]
        params["data"]["tables"]["raw"] = {  # type: ignore[index]
            "raw": "data/raw/raw.csv",
            "label": "label",
            "task": "multiclass",
            "modalities": {"first": {"regex": "x_[0-9]"}, "second": {"regex": "x_[0-9][0-9]"}},
        }

    path = project.folder / "data/raw/raw.csv"
    path.parent.mkdir(parents=True)
    table(seed).to_csv(path, index=False)
    project.change_params(change)
