"""The report's page of a real run, as a browser shows it, and what it says against its tables."""

import base64
import gzip
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.test_pipeline import (  # noqa: F401 (environment is a fixture)
    DVC,
    ROOT,
    clone,
    edited,
    environment,
    run,
)

BROWSER = ROOT / "tests/browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CANARIES = ["canary-person-", "canary-city-", "0.87654321"]  # an id, a text and a number of the restricted table
NAMELESS = {"kind": "vector", "unit": "scaled", "names": [], "means": [None], "left_out": 3}  # of an array
NUMBER = re.compile(r"(?<![\w.])\d+\.\d{3}(?!\d)")


def write_restricted(folder):
    """Write a restricted table whose ids, texts and numbers can be told from all others (synthetic)."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(120, 3))
    values[:, 2] = 0.87654321 + np.arange(120)
    table = pd.DataFrame(values, columns=["one", "two", "three"])
    table.insert(0, "person", [f"canary-person-{row:03d}" for row in range(120)])
    table["city"] = [f"canary-city-{row % 5}" for row in range(120)]
    table["ill"] = np.where(table["one"] > 0, "yes", "no")
    (folder / "data/raw").mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "data/raw/restricted.csv", index=False)


def small(params):
    """Let four datasets run in a few steps: open, synthetic with pictures, synthetic sequences, and restricted."""
    params["run"] |= {"datasets": ["wdbc", "enrico", "mosi", "restricted"], "seeds": [0, 1], "max_epochs": 1}
    params["synthetic"]["enrico"]["screens"] = 160
    params["synthetic"]["mosi"]["videos"] = 30
    params["models"]["defaults"] |= {"encoder_dim": 8, "num_patches": 2, "hidden_dim": 8}
    params["data"]["tables"]["restricted"] = {
        "raw": "data/raw/restricted.csv",
        "id": "person",
        "label": "ill",
        "task": "binary",
        "licence": "restricted",
        "modalities": {"first": {"columns": ["one", "two"]}, "second": {"columns": ["three", "city"]}},
    }
    params["models"]["restricted"] = {}


@pytest.fixture(scope="module")
def project(tmp_path_factory, environment):  # noqa: F811
    """A clone in which the pipeline ran on four datasets."""
    folder = clone(tmp_path_factory.mktemp("page") / "project", environment)
    write_restricted(folder)
    with edited(folder, small):
        run([str(DVC), "repro"], folder, environment, timeout=1500)
    return folder


@pytest.fixture(scope="module")
def page(project):
    return (project / "reports/index.html").read_text()


@pytest.fixture(scope="module")
def looked(project):
    """What a browser finds on the page."""
    return look(project / "reports/index.html")


def look(path):
    """Return what a browser finds on a page."""
    if CHROMIUM is None or shutil.which("node") is None or not (BROWSER / "node_modules").exists():
        pytest.skip("the page is not looked at: install chromium and Node.js, then npm ci --prefix tests/browser")
    done = subprocess.run(
        ["node", str(BROWSER / "check.mjs"), str(path)],
        env={"CHROMIUM": CHROMIUM, "PATH": str(Path(shutil.which("node")).parent)},
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_every_figure_is_a_picture_by_itself_and_stands_on_the_page(project):
    page = (project / "reports/index.html").read_text()
    figures = sorted((project / "reports/figures").glob("*.svg"))
    assert {path.name.split("-")[0] for path in figures} == {"wdbc", "enrico", "mosi", "restricted"}
    for path in figures:
        drawing = path.read_text()
        assert ET.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg", path  # noqa: S314 (our own)
        assert drawing[drawing.index("role=") :] in page, path


def test_the_page_asks_for_nothing_and_has_no_error(looked):
    assert looked["requests"] == []
    assert looked["errors"] == []


def test_the_numbers_of_every_sample_are_spelt_as_people_write_them(looked):
    assert looked["wording"] == []


def test_series_of_one_step_and_vectors_without_names_are_no_empty_pictures_and_tables(looked, page, tmp_path):
    def with_little(found):
        about = json.loads(gzip.decompress(base64.b64decode(found[1])))
        num = len(about["samples"])
        about["inputs"]["nameless"] = NAMELESS | {"values": [[]] * num, "percentiles": [[]] * num}
        about["inputs"]["short"] = {"kind": "sequence", "names": ["pulse"], "steps": [[[71.5]]] * num}
        about["inputs"]["not there"] = NAMELESS | {
            "names": ["age"],
            "values": [None] * num,
            "percentiles": [None] * num,
        }
        return f'class="about">{base64.b64encode(gzip.compress(json.dumps(about).encode())).decode()}<'

    changed = re.sub(r'class="about">([^<]+)<', with_little, page)
    assert changed != page
    (tmp_path / "page.html").write_text(changed)
    assert looked["empty"] == []
    found = look(tmp_path / "page.html")
    assert (found["empty"], found["errors"]) == ([], [])


def test_the_page_is_ready_within_a_second(looked):
    assert min(looked["ready"]) <= 1000, looked["ready"]  # the least: other tests keep this machine busy


def test_the_page_is_accessible_at_390_and_1280_pixels_in_light_and_dark(looked):
    assert looked["axe"] == []


def test_nothing_sticks_out_on_a_phone_a_screen_or_paper(looked):
    assert looked["clipped"] == []
    assert looked["printed"] == []


def test_every_tab_and_sample_is_reached_with_the_keyboard(looked, project):
    assert looked["keyboard"] == []
    files = {name: project / f"results/inputs/{name}.json" for name in ("wdbc", "enrico", "mosi")}
    counts = {name: len(json.loads(path.read_text())["samples"]) for name, path in files.items()}
    assert looked["samples"] == counts


def test_nothing_of_restricted_data_is_in_the_bytes_of_the_report(project):
    written = [path for path in (project / "reports").rglob("*") if path.is_file()]
    assert len(written) > 20
    for path in written:
        content = path.read_bytes()
        for canary in CANARIES:
            assert canary.encode() not in content, f"{canary} in {path}"
    assert "canary" not in (project / "results/inputs/restricted.json").read_text()


class Texts(HTMLParser):
    """The words of a page by dataset, without scripts, drawings (ticks are round numbers) and models' settings."""

    def __init__(self):
        super().__init__()
        self.dataset, self.tab, self.words, self.skipped = "", "", {}, 0

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.skipped += tag in ("script", "style", "svg")
        if tag == "section" and own.get("class") == "dataset":
            self.dataset, self.tab = own["id"], ""
        if tag == "section" and own.get("class") == "panel":
            self.tab = own["data-tab"]

    def handle_endtag(self, tag):
        self.skipped -= tag in ("script", "style", "svg")

    def handle_data(self, data):
        if self.dataset and not self.skipped and self.tab != "training":
            self.words.setdefault(self.dataset, []).append(data)


def test_every_number_of_the_page_is_in_its_tables(project, page):
    texts = Texts()
    texts.feed(page)
    labels = json.loads((project / "results/settings/run.json").read_text())["datasets"]
    tables = [pd.read_csv(path) for path in (project / "reports/tables").glob("*.csv")]
    assert set(texts.words) == set(labels)
    for dataset, words in texts.words.items():
        own = [table[table["dataset"].isin([dataset, labels[dataset]])] for table in tables]
        values = np.concatenate([table.select_dtypes("number").to_numpy(float).ravel() for table in own])
        values = np.abs(values[np.isfinite(values)])
        known = {f"{value:.3f}" for value in values} | {f"{np.nextafter(value, 9):.3f}" for value in values}
        shown = set(NUMBER.findall(" ".join(words)))
        assert shown
        assert shown - known - of_cohort(project, dataset) == set(), dataset


def of_cohort(project, dataset):
    """Return the numbers of a dataset's page that are in its cohort's file."""
    found = set()
    cohort = json.loads((project / f"data/cohorts/{dataset}.json").read_text())
    for counts in cohort["splits"].values():
        found |= {f"{abs(counts[name]):.3f}" for name in ("mean_label", "std_label") if name in counts}
    return found


def test_scores_differences_and_experts_are_those_of_the_tables_cell_by_cell(project, page):
    for row in pd.read_csv(project / "reports/tables/performance.csv").to_dict("records"):
        spread = "" if np.isnan(row["std"]) else f" ± {row['std']:.3f}"
        if np.isfinite(row["mean"]):
            assert f"{row['mean']:.3f}{spread} [{row['low']:.3f}, {row['high']:.3f}]" in page
    for row in pd.read_csv(project / "reports/tables/differences.csv").to_dict("records"):
        assert f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" in page
        assert f'<td data-label="verdict">{row["verdict"]}</td>' in page
    for row in pd.read_csv(project / "reports/tables/experts.csv").to_dict("records"):
        assert f"<strong>{row['mean_weight']:.3f}</strong>" in page
        assert f"{row['alone']:.3f} [{row['alone_low']:.3f}, {row['alone_high']:.3f}]" in page


def test_the_same_results_give_the_same_bytes(project, environment, tmp_path):  # noqa: F811
    before = {path.name: path.read_bytes() for path in (project / "reports").rglob("*") if path.is_file()}
    shutil.copytree(project / "reports", tmp_path / "reports")
    with edited(project, small):
        run([str(DVC.with_name("python")), "-m", "stages.report"], project, environment)
    after = {path.name: path.read_bytes() for path in (project / "reports").rglob("*") if path.is_file()}
    assert after == before


def test_the_page_is_small(page):
    pictures = sum(len(own) for own in re.findall(r'class="about">([^<]+)', page))
    assert len(page) - pictures < 1_000_000
    assert len(page) < 5_000_000
