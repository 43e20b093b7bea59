"""No stage starts before the settings have passed: a wrong name then ends in its message, and in nothing else."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "dvc.yaml",
    *sorted(ROOT.glob("pipelines/*/dvc.yaml")),
    *sorted(ROOT.glob("stages/datasets/*/dvc.yaml")),
]


def stages():
    """Return by file and name what each stage depends on, and what it writes; a variable is a star."""
    found = {}
    for file in FILES:
        for name, stage in YAML(typ="safe", pure=True).load(file)["stages"].items():
            body = stage.get("do", stage)
            entries = [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]
            outs = [own if isinstance(own, str) else next(iter(own)) for own in entries]
            star = [[re.sub(r"\$\{[^}]+\}", "*", str(path)) for path in paths] for paths in (body["deps"], outs)]
            found[f"{file.parent.name}:{name}"] = star
    return found


def reads(dependency, out):
    """Tell whether a dependency may be an output, lie in one, or hold one."""
    one, other = (re.escape(path).replace(r"\*", "[^/]+") for path in (dependency, out))
    plain = [path.replace("*", "any") for path in (dependency, out)]
    return bool(re.fullmatch(f"{one}(/.*)?", plain[1]) or re.fullmatch(f"{other}(/.*)?", plain[0]))


STAGES = stages()
SETTINGS = next(name for name in STAGES if name.endswith(":settings"))


def before(name):
    """Return every stage that must have run before one."""
    found, todo = set(), {name}
    while todo:
        deps = [
            dependency for own in todo for dependency in STAGES[own][0] if dependency.startswith(("data/", "results/"))
        ]
        todo = {
            other for other, (_, outs) in STAGES.items() for dep in deps if any(reads(dep, out) for out in outs)
        } - found
        found |= todo
    return found


@pytest.mark.parametrize("name", sorted(set(STAGES) - {SETTINGS}))
def test_a_stage_waits_for_the_settings(name):
    assert SETTINGS in before(name)


def test_of_a_dataset_that_is_not_there_the_settings_speak_first():
    """No stage makes its features, so that what reads them must wait for the settings by itself."""
    (reference,) = (name for name in STAGES if name.endswith(":reference"))
    assert "results/checked" in STAGES[reference][0]


def test_the_settings_wait_for_nothing():
    assert before(SETTINGS) == set()


@pytest.mark.parametrize(
    ("dependency", "out", "is_read"),
    [
        ("data/features/*", "data/features/mimic/*.npy", True),
        ("results/settings/*/*.json", "results/settings", True),
        ("data/cohorts/*.csv", "data/cohorts/mimic.csv", True),
        ("data/cohorts/*.csv", "data/cohorts/mimic.json", False),
        ("results/checked", "results/cards/*.json", False),
    ],
)
def test_what_a_dependency_reads_is_known(dependency, out, is_read):
    assert reads(dependency, out) == is_read
