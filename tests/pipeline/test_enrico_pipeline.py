"""The real `dvc exp run` on the synthetic ENRICO, in a clone: from screens to a report, and what reruns cost."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.test_pipeline import DVC, clone, edited, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[enrico]",
    "run.models": "[i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.enrico.screens": "60",
    "data.enrico.image.height": "64",
    "data.enrico.image.width": "32",
    "models.enrico.mult.hidden_dim": "8",
}
STAGES = "stages/datasets/enrico/dvc.yaml"
FEATURES = [f"{STAGES}:features@screenshot", f"{STAGES}:features@wireframe"]
AUGMENTED = {"augment": ["horizontal_flip", "crop", "colour"], "copies": 2}


@pytest.fixture(scope="module")
def project(tmp_path_factory, environment):
    """A clone in which the tiny pipeline ran once."""
    folder = clone(tmp_path_factory.mktemp("enrico") / "project", environment)
    options = [part for key, value in TINY.items() for part in ("--set-param", f"{key}={value}")]
    run([str(DVC), "exp", "run", *options], folder, environment)
    return folder


def stores(folder):
    """Return the bytes of every store of image features, by name."""
    return {path.relative_to(folder): path.read_bytes() for path in (folder / "data/.images").rglob("*.*")}


def new_names(folder, known):
    """Return the names of images in stores that were not known."""
    return [own for name, content in stores(folder).items() if name not in known for own in lines(name, content)]


def lines(name, content):
    return content.split() if name.name == "keys.txt" else []


def ran(output):
    return {line.split("'")[1].split(":")[-1] for line in output.splitlines() if line.startswith("Running stage")}


def test_enrico_runs_from_screens_to_a_report(project, environment):
    metrics = json.loads((project / "results/metrics/enrico/i2moe-mult.json").read_text())
    assert {"accuracy", "auroc"} <= set(metrics)
    experts = pd.read_csv(project / "reports/tables/experts.csv")["expert"].tolist()
    assert experts == ["uniqueness_screenshot", "uniqueness_wireframe", "synergy", "redundancy"]
    page = (project / "reports/index.html").read_text()
    assert ">enrico (synthetic)</h2>" in page
    assert "screenshot: untrained image features (VGG-11 with random weights, seed 0)" in page
    assert '<th scope="col">screens removed</th>' in page
    assert '<th scope="row">listed under data.enrico.exclude</th>' in page
    copies = np.load(project / "data/features/enrico/screenshot.copies.npy")
    assert copies.shape == (40, 0, 512, 2, 1)
    assert not ran(run([str(DVC), "repro", "--dry"], project, environment))


def test_an_experiment_in_a_worker_computes_no_image_again(project, environment):
    before = stores(project)
    output = run([str(DVC), "exp", "run", "--temp", "-S", "split.seed=6", *FEATURES], project, environment)
    assert {"features@screenshot", "features@wireframe"} <= ran(output)
    assert "new images" not in output
    assert stores(project) == before


def test_another_split_computes_no_image_again(project, environment):
    before = stores(project)
    assert before
    with edited(project, lambda params: params["split"].update(seed=5)):
        done = ran(run([str(DVC), "repro", *FEATURES], project, environment))
        assert done - {"settings"} == {"cohort", "features@screenshot", "features@wireframe"}
        assert stores(project) == before


def test_a_lost_modality_loses_its_stage_alone(project, environment):
    with edited(project, lambda params: params["data"]["enrico"].update(modalities=["wireframe"])):
        planned = ran(run([str(DVC), "repro", "--dry"], project, environment))
    assert "cohort" in planned
    assert not planned & {"synthesize", "features@screenshot"}


def test_augmented_copies_are_outputs_that_training_takes_and_plain_images_stay(project, environment):
    run([str(DVC), "repro", *FEATURES], project, environment)
    before = stores(project)
    plain = np.load(project / "data/features/enrico/wireframe.npy")
    with edited(project, lambda params: params["data"]["enrico"]["image"].update(AUGMENTED)):
        done = ran(
            run([str(DVC), "repro", "pipelines/evaluate/dvc.yaml:evaluate@enrico-i2moe-mult"], project, environment)
        )
        assert {"features@screenshot", "features@wireframe", "train@enrico-i2moe-mult"} <= done
        copies = np.load(project / "data/features/enrico/wireframe.copies.npy")
        assert copies.shape == (40, 2, 512, 2, 1)
        np.testing.assert_array_equal(np.load(project / "data/features/enrico/wireframe.npy"), plain)
        after = stores(project)
        assert all(after[name].startswith(content) for name, content in before.items())
    run([str(DVC), "repro", *FEATURES], project, environment)
    assert np.load(project / "data/features/enrico/wireframe.copies.npy").shape[1] == 0


def test_a_killed_feature_stage_resumes_from_the_store(project, environment):
    """Kill -9 the whole process group while images are computed; what was stored is not computed again."""
    known = set(stores(project))
    with edited(project, lambda params: params["data"]["enrico"]["image"].update(height=96, batch_size=1)):
        command = [str(DVC), "repro", FEATURES[0]]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=project, env=environment, start_new_session=True, **quiet) as killed:
            deadline = time.monotonic() + 300
            while len(new_names(project, known)) < 5:
                assert time.monotonic() < deadline
                assert killed.poll() is None
                time.sleep(0.005)
            os.killpg(killed.pid, signal.SIGKILL)
        left = {name: content for name, content in stores(project).items() if name not in known}
        names = new_names(project, known)
        ids = pd.read_csv(project / "data/cohorts/enrico.csv", dtype=str)["sample_id"]
        raw = project / "data/synthetic/enrico/screenshots"
        distinct = len({(raw / f"{sample}.jpg").read_bytes() for sample in ids})  # screens share layouts
        assert 5 <= len(names) < distinct
        run(command, project, environment)
        after = stores(project)
        for name, content in left.items():
            whole = content[: len(names) * (4 * 512 * 3 * 1)] if name.suffix == ".f32" else content
            assert after[name].startswith(whole)
        final = new_names(project, known)
        assert len(final) == len(set(final)) == distinct
        assert np.load(project / "data/features/enrico/screenshot.npy").shape == (58, 512, 3, 1)
