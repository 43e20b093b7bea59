"""What the graph must know of the code: a stage depends on exactly the project's files that it imports."""

import ast
import functools
import itertools
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from i2moe.model.config import FUSION_CONFIGS
from stages.settings.sources import source_files
from stages.shared.runs import HardwareParams, Numerics
from stages.train import CODE as CODE_OF_WEIGHTS

ROOT = Path(__file__).parents[2]
CODE = ("i2moe", "stages", "own")
SHARED = [ROOT / "dvc.yaml", *sorted((ROOT / "pipelines").glob("*/dvc.yaml"))]  # by all datasets
PIPELINES = [*SHARED, *sorted((ROOT / "stages/datasets").glob("*/dvc.yaml"))]
# Found in a folder and imported by name; nothing else in the project is imported so.
FOUND = {
    "stages/settings/params.py": {
        f"stages/datasets/{path.parent.name}/settings.py" for path in PIPELINES[len(SHARED) :]
    },
    "stages/inputs/__main__.py": {
        str(path.relative_to(ROOT)) for path in sorted((ROOT / "stages/datasets").glob("*/inputs.py"))
    },
    # Fusion methods reach a model through its settings, with a hash of their source: see the test below.
    "i2moe/model/config.py": set(),
}
TEMPLATE = ROOT / "stages/report/template"
# Files that are read next to a module.
READ = {
    "stages/datasets/adni/codebook.py": {"stages/datasets/adni/columns.csv"},
    "stages/datasets/mimic/lab/items.py": {"stages/datasets/mimic/lab/items.csv"},
    "stages/report/page.py": {f"stages/report/template/{path.name}" for path in TEMPLATE.iterdir()},
    "stages/report/paper.py": {f"stages/report/published/table{number}.csv" for number in range(1, 7)},
    "stages/report/against.py": {"stages/report/against.html"},
}
# DVC's foreach gives all modalities of a dataset the same list, though some need what others do not.
NEEDED_BY_OTHER_MODALITIES = {
    "adni features@image": {"codebook.py", "columns.csv", "encoding.py", "tables.py", "values.py"},
    "adni features@genetic": {
        *("codebook.py", "columns.csv", "encoding.py", "prefetch.py", "source.py", "tables.py", "values.py")
    },
    "adni features@clinical": {"prefetch.py"},
    "adni features@biospecimen": {"prefetch.py"},
    "imdb features@plot": {"image_features.py", "vision.py"},
    "imdb features@poster": {"words.py", "text.py", "token_store.py"},
    "mmhs features@tweet": {"image_features.py", "images.py", "decoding.py", "networks.py"},
    "mmhs features@image": {"texts.py", "words.py"},
    "mmhs features@ocr": {"image_features.py", "images.py", "decoding.py", "networks.py"},
    "mimic features@lab": {"loading.py", "terms.py", "text.py", "words.py"},
    "mimic features@code": {"loading.py", "terms.py", "text.py", "words.py"},
}


def params():
    return YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def walk(node):
    """Walk a tree, but not into what only type checkers see."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING"):
            yield from walk(child)


@functools.cache
def imported(path):
    """Return the project's files that one of them imports, directly, inside functions too."""
    names = set()
    for node in walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import, which this test does not follow"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = [f"{name.replace('.', '/')}{end}" for name in names for end in (".py", "/__init__.py")]
    return {file for file in files if file.split("/")[0] in CODE and (ROOT / file).exists()} | FOUND.get(path, set())


def reached(start):
    """Return the project's files that decide on what a file does when it is run."""
    found, todo = set(), {start}
    while todo:
        found |= todo
        todo = set().union(*(imported(path) for path in todo)) - found
    read = set().union(*(READ.get(path, set()) for path in found))
    return {path for path in found | read if not path.endswith("__init__.py")}


def lookup(text, values):
    return functools.reduce(lambda block, key: block[key], text.split("."), values)


def items_of(stage):
    """Return the names and values that DVC puts into a stage: one for each item of its foreach or matrix."""
    if "matrix" in stage:  # one of each is enough: code depends on no item
        first = {key: lookup(value[2:-1], params())[0] for key, value in stage["matrix"].items()}
        return {"": {f"item.{key}": str(value) for key, value in first.items()}}
    if "foreach" not in stage:
        return {"": {}}
    over = stage["foreach"]
    over = lookup(over[2:-1], params()) if isinstance(over, str) else over
    return {f"@{name}": {"item": name, "key": name} for name in over}


def stages():
    """Return every stage of every dvc.yaml, an entry for each item: its name, command and what it depends on."""
    found = {}
    for path in PIPELINES:
        for name, stage in YAML(typ="safe", pure=True).load(path)["stages"].items():
            body = stage.get("do", stage)
            for item, values in items_of(stage).items():
                fill = lambda text, values=values: re.sub(  # noqa: E731
                    r"\$\{([\w.]+)\}", lambda match: values.get(match[1], match[0]), text
                )
                where = "" if path in SHARED else f"{path.parent.name} "
                deps = [fill(dep) for dep in body["deps"]]
                found[f"{where}{name}{item}"] = (fill(body["cmd"]), [dep for dep in deps if dep.split("/")[0] in CODE])
    return found


STAGES = stages()


def started(command):
    """Return the file that a command runs."""
    name = re.match(r"python -m ([\w.]+)", command)[1].replace(".", "/")
    return next(file for file in (f"{name}.py", f"{name}/__main__.py") if (ROOT / file).exists())


def files_of(dependency):
    """Return the files of the project that a dependency names; a package's own file holds its docstring alone."""
    path = ROOT / dependency
    found = path.rglob("*") if path.is_dir() else [path]
    names = {str(file.relative_to(ROOT)) for file in found if file.is_file() and "__pycache__" not in file.parts}
    return {name for name in names if not name.endswith("__init__.py")}


def test_every_stage_of_every_pipeline_is_looked_at():
    datasets = {path.parent for path in (ROOT / "stages/datasets").glob("*/settings.py")}
    assert {path.parent for path in PIPELINES[len(SHARED) :]} == datasets
    assert len(datasets) >= 8
    text = "".join(path.read_text() for path in PIPELINES)
    assert len(re.findall(r"cmd: python -m \S+", text)) == len(re.findall(r"^ *cmd:", text, re.MULTILINE)) >= 33
    assert {
        "settings",
        "reference",
        "inputs",
        "train",
        "evaluate",
        "explain",
        "compare",
        "report",
        "tables cohort@wdbc",
    } <= set(STAGES)
    assert {f"adni features@{name}" for name in params()["data"]["adni"]["modalities"]} <= set(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_all_that_it_imports(name):
    command, deps = STAGES[name]
    assert reached(started(command)) - set().union(*map(files_of, deps)) == set()


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"settings"}))
def test_a_stage_depends_on_nothing_that_it_cannot_reach(name):
    command, deps = STAGES[name]
    idle = set().union(*map(files_of, deps)) - reached(started(command))
    assert {Path(file).name for file in idle} == NEEDED_BY_OTHER_MODALITIES.get(name, set())


def test_settings_depend_beside_their_imports_on_the_sources_that_they_hash():
    command, deps = STAGES["settings"]
    idle = set().union(*map(files_of, deps)) - reached(started(command))
    assert {file.split("/")[0] if file.startswith("own/") else Path(file).parent.as_posix() for file in idle} == {
        "own",
        "i2moe/fusion",
    }


def test_what_some_modalities_need_is_needed_by_another_of_the_same_list():
    for name, files in NEEDED_BY_OTHER_MODALITIES.items():
        group = name.split("@")[0]
        others = [other for other in STAGES if other.startswith(f"{group}@")]
        by_any = set().union(*({Path(file).name for file in reached(started(STAGES[other][0]))} for other in others))
        assert files - {"columns.csv"} <= by_any


@pytest.mark.parametrize("method", FUSION_CONFIGS)
def test_the_hash_of_a_fusion_method_covers_what_its_models_do_not_depend_on(method):
    module = FUSION_CONFIGS[method].module.partition(":")[0]
    hashed = {str(path.relative_to(ROOT)) for path in source_files(module)}
    for stage in ("train", "explain"):
        covered = set().union(*map(files_of, STAGES[stage][1]))
        assert reached(module.replace(".", "/") + ".py") - covered == hashed


@pytest.mark.parametrize("path", [p for code in CODE for p in sorted((ROOT / code).rglob("__init__.py"))], ids=str)
def test_a_package_s_own_file_holds_its_docstring_alone(path):
    if path == ROOT / "i2moe/__init__.py":  # which offers three names, and imports what they are in when asked
        assert "import_module" in path.read_text()
        return
    assert [type(node) for node in ast.parse(path.read_text()).body] == [ast.Expr]


# Which stages an edit reaches: a file, and the stages of the graph that depend on it.
EDITS = {
    "stages/datasets/adni/genetic/pruning.py": {"adni features@genetic"},
    "stages/datasets/adni/image/maps.py": {"adni features@image"},
    "stages/datasets/mimic/note/features.py": {"mimic features@note"},
    "stages/datasets/mimic/lab/items.csv": {"mimic synthesize", "mimic measurements", "mimic features@lab"},
    "stages/datasets/imdb/plot.py": {"imdb features@plot"},
    "stages/datasets/mosi/synthetic/utterances.py": {"mosi synthesize"},
    "stages/report/charts.py": {"report"},
    "stages/report/template/explorer.js": {"report"},
    "stages/explain/methods.py": {"explain"},
    "i2moe/explain/coalitions.py": {"explain"},
    "i2moe/explain/gate.py": {"explain"},
    "i2moe/explain/ability.py": {"explain", "report"},
    "i2moe/metrics.py": {"reference", "evaluate", "explain", "compare", "report"},
    "i2moe/resampling.py": {"reference", "evaluate", "explain", "compare", "report"},
    "i2moe/selection.py": {"settings", "reference", "train", "evaluate", "explain", "compare", "report"},
    "stages/compare.py": {"compare"},
    "stages/inputs/draw.py": {"inputs"},
    "stages/datasets/imdb/inputs.py": {"inputs"},
    "i2moe/training.py": {"train"},
    "i2moe/checkpoints.py": {"train"},
    "i2moe/model/multimodal.py": {"train", "explain"},
    "i2moe/fusion/early.py": {"settings"},
    "own/gated_sum.py": {"settings"},
    "stages/settings/models.py": {"settings"},
}


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_in_each_room_reaches_these_stages_and_no_other(path):
    reaching = {name for name, (_, deps) in STAGES.items() if path in set(itertools.chain(*map(files_of, deps)))}
    assert reaching == EDITS[path]


def test_a_change_of_the_number_of_workers_reaches_no_training():
    assert "params" not in YAML(typ="safe", pure=True).load(ROOT / "pipelines/train/dvc.yaml")["stages"]["train"]
    assert set(HardwareParams.model_fields) - set(Numerics.model_fields) == {"num_workers"}


def test_a_seeds_hash_counts_all_code_of_the_library_that_the_graph_counts():
    deps = YAML(typ="safe", pure=True).load(ROOT / "pipelines/train/dvc.yaml")["stages"]["train"]["deps"]
    beside = {"i2moe/preparation/fitted.py", "i2moe/trained.py"}  # write what lies beside the weights
    counted = {path for path in deps if path.startswith("i2moe/")} - beside
    assert {f"i2moe/{name}" for name in CODE_OF_WEIGHTS} == counted
