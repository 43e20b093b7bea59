"""Worked examples in docstrings: all are run, and the functions that a newcomer meets first have one each."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    str(path.relative_to(ROOT))
    for package in ("i2moe", "stages")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text()
]
MET_FIRST = {
    "i2moe.base.strict": ["nearest"],
    "i2moe.contract.masks": ["pack_mask", "unpack_mask"],
    "i2moe.explain.coalitions": ["coalition_names"],
    "i2moe.explain.subsets": ["subsets", "shapley_values", "interaction_indices"],
    "i2moe.explain.lattice": ["lattice_parts"],
    "i2moe.explain.value": ["sample_values"],
    "i2moe.explain.experts": ["agreement", "telling_sample"],
    "i2moe.metrics": ["chance"],
    "i2moe.model.interaction": ["expert_names"],
    "i2moe.model.losses": [
        "triplet_uniqueness",
        "cosine_synergy",
        "cosine_redundancy",
        "squared_uniqueness",
        "squared_synergy",
        "squared_redundancy",
        "task_loss",
        "total_loss",
    ],
    "i2moe.selection": [
        "accuracy",
        "auroc",
        "macro_auroc",
        "macro_f1",
        "micro_f1",
        "mean_absolute_error",
        "r_squared",
        "pearson",
        "sign_accuracy_neutral_negative",
        "sign_accuracy_neutral_excluded",
    ],
    "stages.report.layout": ["score_cell"],
    "stages.report.tables": ["markdown"],
    "stages.settings.models": ["merge"],
    "stages.settings.sources": ["source_files"],
    "stages.shared.cohort.cohorts": ["count_labels", "count_removed"],
    "stages.shared.cohort.split": ["assign_splits", "iterative_splits", "stratify_by"],
}


@pytest.mark.parametrize("path", FILES)
def test_the_examples_of_a_file_hold(path):
    failed, attempted = doctest.testmod(importlib.import_module(path.removesuffix(".py").replace("/", ".")))
    assert attempted
    assert not failed


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in MET_FIRST.items() for name in names])
def test_what_a_newcomer_meets_first_has_an_example(module, name):
    own = getattr(importlib.import_module(module), name)
    assert any(test.examples for test in doctest.DocTestFinder().find(own, name))
