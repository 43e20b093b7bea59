"""Size, links, keys, settings and Python examples of the documents. Their commands run in the two files beside this."""

import re
import runpy
import shutil

import pytest

from stages.settings.params import load_params
from stages.shared.base.params import read_params
from tests.docs.documents import (
    DOCUMENTS,
    LINK,
    README,
    ROOT,
    SHELL,
    TINY,
    Block,
    anchors,
    blocks,
    commands,
    inline_code,
    inline_options,
    name_of,
    paste,
    prose,
    write_params,
)

MAX_BYTES = 12_000
LANGUAGES = {"bash", "python", "yaml", ""}
NEW_DATASETS = {README: "ad", ROOT / "stages/datasets/tables/README.md": "heart"}
KEY = re.compile(r"(run|split|synthetic|data|train|models)(\.(?!json$)[\w-]+)+")
PYTHON = ROOT / "docs/code.md"
ESTIMATOR = ROOT / "docs/python.md"


def links(document):
    """Return the relative links of a document: the file of each, and the anchor in it or nothing."""
    found = [target for target in LINK.findall(prose(document)) if not target.startswith(("http:", "https:"))]
    parts = [target.partition("#") for target in found]
    return [((document.parent / path).resolve() if path else document, anchor) for path, _, anchor in parts]


def test_the_readme_is_short():
    assert len(README.read_bytes()) <= MAX_BYTES


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document):
    for target, anchor in links(document):
        assert target.exists(), f"{name_of(document)} links to {target}"
        assert not anchor or anchor in anchors(target), f"{name_of(document)} links to #{anchor} of {target}"


def test_every_document_can_be_reached_from_the_readme():
    reached, todo = {README}, [README]
    while todo:
        new = {target for target, _ in links(todo.pop())} & set(DOCUMENTS) - reached
        reached |= new
        todo += new
    assert reached == set(DOCUMENTS)


def plain(path):
    """Return an output or dependency of a stage with * for its variables; an output may be a mapping of options."""
    return re.sub(r"\$\{[^}]*\}", "*", path if isinstance(path, str) else next(iter(path)))


def test_the_drawing_shows_every_stage_and_only_arrows_that_are_dependencies():
    drawing = (ROOT / "docs/stages.svg").read_text()
    graphs = [ROOT / "dvc.yaml", *ROOT.glob("pipelines/*/dvc.yaml"), ROOT / "stages/datasets/tables/dvc.yaml"]
    stages = {name: stage.get("do", stage) for path in graphs for name, stage in read_params(path)["stages"].items()}
    del stages["examples"]
    assert set(re.findall(r"<text[^>]*>([^<]+)", drawing)) == {"raw files", "params.yaml", *stages}
    arrows = [name.split("--") for name in re.findall(r'<path id="([^"]+)"', drawing)]
    assert {later for _, later in arrows} == set(stages)
    for earlier, later in arrows:
        if earlier in stages:
            outputs = [plain(out) for kind in ("outs", "metrics") for out in stages[earlier].get(kind, [])]
            needed = [plain(path) for path in stages[later]["deps"]]
            assert any(out.startswith(path) or path.startswith(out) for out in outputs for path in needed)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_blocks_are_of_languages_that_are_tested(document):
    assert {block.language for block in blocks(document)} <= LANGUAGES
    for command in commands(document):
        assert not set(command.words) & set(SHELL), f"{command}: one command in a line"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_key_that_is_named_exists(document, tmp_path):
    write_params(tmp_path / "params.yaml", pasted=document)
    for code in filter(KEY.fullmatch, inline_code(document)):
        value = read_params(tmp_path / "params.yaml")
        for name in code.split("."):
            if name.isupper():  # stands for any name
                break
            assert name in value, f"{name_of(document)}: params.yaml has no key {code}"
            value = value[name]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_in_yaml_are_settings(document, tmp_path):
    path = tmp_path / "params.yaml"
    write_params(path, pasted=document, settings=TINY)
    params = load_params(path)
    if document in NEW_DATASETS:
        assert NEW_DATASETS[document] in params.data.tables
        assert {"mult", "i2moe-mult"} <= set(params.models[NEW_DATASETS[document]])
    elif blocks(document, "yaml"):
        assert {"gated-sum", "i2moe-gated-sum"} <= set(params.models["wdbc"])


@pytest.mark.parametrize("place", ["wdbc", "shared"])
def test_the_model_that_the_readme_adds_in_a_line_is_one(place, tmp_path):
    (line,) = [code for code in inline_code(README) if ": {" in code]
    path = tmp_path / "params.yaml"
    before = f"under `models.{place}`"
    path.write_text(paste((ROOT / "params.yaml").read_text(), Block(README, "yaml", f"    {line}\n", before)))
    assert load_params(path).models["wdbc"]["wide"].hidden_dim == 512


@pytest.mark.parametrize("option", [own for document in DOCUMENTS for own in inline_options(document)], ids=str)
def test_options_in_the_text_are_settings(option, tmp_path):
    path = tmp_path / "params.yaml"
    assert set(option.words[::2]) == {"-S"}, f"{option}: only options -S stand in the text without their command"
    settings = tuple(f"{key}={value}" for key, value in option.settings.items())
    # The dataset is the one whose settings change, so that its models are checked too.
    datasets = {key.split(".")[1] for key in option.settings if key.startswith("data.")}
    write_params(path, settings=(*TINY, f"run.datasets=[{','.join(datasets)}]" if datasets else TINY[0], *settings))
    load_params(path)


@pytest.fixture
def working_directory(tmp_path, monkeypatch, synthetic_dataset):
    """A folder with a small synthetic dataset, named as in the example."""
    _, cohort = synthetic_dataset()
    for name in ("mine.csv", "mine.json"):
        shutil.copy(cohort.with_suffix(name.removeprefix("mine")), cohort.with_name(name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_training_from_python_runs(working_directory, capsys):
    (block,) = blocks(PYTHON, "python")
    (working_directory / "example.py").write_text(block.text)
    runpy.run_path("example.py")
    # 12 samples of the test split: logits of 3 classes, weights of 4 experts.
    assert capsys.readouterr().out.endswith("(12, 3) (12, 4)\n")


@pytest.mark.parametrize("document", [README, ESTIMATOR], ids=name_of)
def test_the_example_of_the_estimator_runs(document, tmp_path, monkeypatch, capsys):
    (block,) = blocks(document, "python")
    (tmp_path / "example.py").write_text(block.text)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("example.py")
    score = float(re.search(r"(\d\.\d+)$", capsys.readouterr().out, re.MULTILINE)[1])
    assert score > 0.9
    if document is ESTIMATOR:
        assert {path.name for path in tmp_path.iterdir()} >= {"p300.png", "explanation.html", "model.i2moe"}


def test_python_stands_where_it_is_run():
    assert {document for document in DOCUMENTS if blocks(document, "python")} == {README, PYTHON, ESTIMATOR}
