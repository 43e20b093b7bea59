"""The parsers of what stages read besides results: words, interim tables, visits, profiles, lock files, stores."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fuzz.contract import COHORT, FEATURES, write_json, write_prepared
from benchmarks.fuzz.parsers import Parser
from benchmarks.fuzz.tables import PARAMS
from stages.shared.base import paths

IDS = [f"s{row}" for row in range(4)]


def write_words() -> None:
    """Write a prepared dataset whose sequences are words."""
    write_prepared()
    write_json(FEATURES / "sequence.words.json", [["tea", "é", "b", "c"][:steps] for steps in [4, 3, 2, 1, *[4] * 6]])


def read_words() -> None:
    """Open the dataset, and read the words."""
    from i2moe.prepared import Prepared
    from i2moe.prepared import read_words as read

    read(FEATURES / "sequence.words.json", Prepared(FEATURES, COHORT).lengths["sequence"])


def write_movies() -> None:
    """Write what MM-IMDb's movies stage writes: means, words, and texts."""
    folder = paths.interim("imdb")
    folder.mkdir(parents=True)
    rows = [
        {"movie_id": name, "has_json": True, "has_poster": True, "genres": ["Drama"], "fold": "train"} for name in IDS
    ]
    write_json(folder / "movies.json", [row | {"words": 3, "known_words": 2} for row in rows])
    write_json(folder / "words.json", ["war", "sea"])
    write_json(folder / "texts.json", ["war and sea"] * len(IDS))
    np.save(folder / "plots.npy", np.ones((len(IDS), 3), np.float32))
    np.save(folder / "word_ids.npy", np.array([0, 1] * len(IDS), np.int32))
    np.save(folder / "word_vectors.npy", np.ones((2, 3), np.float32))


def read_movies() -> None:
    """Read it as the features stages do."""
    from stages.datasets.imdb.plot import means_of, read_words, stored_plots
    from stages.datasets.imdb.settings import PlotSettings, Settings

    for encoder, tokens in (("words", False), ("words", True), ("a/b", True)):
        plot = PlotSettings(encoder=encoder, vectors="vectors.bin", unknown="drop", tokens=tokens, max_tokens=2)
        plots = stored_plots(Settings.model_construct(plot=plot, raw="raw.hdf5"))
        rows = np.arange(len(plots.words))
        if encoder == "words" and tokens:
            steps, _, _ = read_words(plots, rows, 2)
            steps.block(0, len(rows))
        elif not tokens:
            Path("raw.hdf5").touch()
            means_of(plots, rows, Settings.model_construct(plot=plot, raw="raw.hdf5"))


def write_tweets() -> None:
    """Write what MMHS150K's tweets stage writes, and a cohort."""
    from stages.datasets.mmhs.source import LABELS
    from stages.datasets.mmhs.table import TABLE, means_path

    folder = paths.interim("mmhs")
    folder.mkdir(parents=True)
    table = pd.DataFrame({"tweet_id": IDS} | {label: range(len(IDS)) for label in LABELS})
    table = table.assign(has_image=True, fold="train", same_text=range(4), same_image=range(4))
    for kind in ("tweet", "ocr"):
        table = table.assign(**{f"{kind}_words": 3, f"{kind}_known": [2, 2, 1, 0]})
        np.save(means_path(kind), np.random.default_rng(0).normal(size=(len(IDS), 3)).astype(np.float32))
    table.to_parquet(folder / TABLE, index=False)
    _write_cohort("mmhs")


def _write_cohort(dataset: str) -> None:
    path = paths.cohort(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"sample_id": IDS, "group_id": IDS, "split": "train", "label": "no"}).to_csv(path, index=False)


def read_tweets() -> None:
    """Read the tables as cohort and features stages do."""
    from stages.datasets.mmhs.cohort import decide, select
    from stages.datasets.mmhs.settings import Settings
    from stages.datasets.mmhs.source import LABELS
    from stages.datasets.mmhs.table import read_samples, read_table
    from stages.datasets.mmhs.texts import scaled_texts

    settings = Settings.model_construct(
        raw="mmhs",
        modalities=["tweet", "image", "ocr"],
        labels="hate",
        split="official",
        incomplete="keep",
        vectors="v",
    )
    raw = read_table(settings)
    select(raw.assign(label=decide(raw[list(LABELS)].to_numpy(), "hate")), settings)
    samples, rows, is_train = read_samples(settings)
    for kind in ("tweet", "ocr"):
        scaled_texts(kind, settings, samples, rows, is_train)


def write_measurements() -> None:
    """Write what MIMIC-IV's measurements stage writes, and its visits."""
    folder = paths.interim("mimic")
    folder.mkdir(parents=True)
    measured = pd.DataFrame({"hadm_id": [1, 2, 3, 4], "feature": "glucose", "mean": [1.0, 2.0, 3.0, 5.0]})
    measured.assign(last=measured["mean"]).to_parquet(folder / "measurements.parquet", index=False)
    write_json(folder / "measurements.json", {"glucose": {"rows": 4, "implausible": 0}})
    write_visits()


def read_measurements() -> None:
    """Read them as the features stage does."""
    from stages.datasets.mimic.lab.features import impute_and_scale, read_counts, read_values
    from stages.datasets.mimic.sequences import read_samples
    from stages.datasets.mimic.settings import LabSettings

    visits, folder = read_samples(2), paths.interim("mimic")
    values = read_values(visits, ["glucose"], ["mean", "last"], folder)
    lab = LabSettings.model_construct(summaries=["mean", "last"], impute="median", missing_indicators=True)
    impute_and_scale(values, ["glucose"], visits.is_train, lab)
    read_counts(folder)


def write_visits() -> None:
    """Write the visits of MIMIC-IV and of ADNI, as their cohort stages do."""
    for dataset in ("mimic", "adni"):
        _write_cohort(dataset)
    steps = pd.DataFrame({"sample_id": [IDS[0], *IDS], "step": [0, 1, 0, 0, 0], "hadm_id": [1, 2, 3, 4, 5]})
    steps.to_csv(paths.visits("mimic"), index=False)
    seen = pd.DataFrame({"sample_id": IDS, "rid": range(4), "date": "2006-01-10", "scan": "011_S_0002.nii"})
    seen.assign(has_image=[True, True, False, True]).to_csv(paths.visits("adni"), index=False)


def read_visits() -> None:
    """Read them as the features stages do."""
    from stages.datasets.mimic.sequences import read_samples
    from stages.shared.visits import read_visits as read

    read("adni", {"rid": int, "has_image": bool}, dates=("date",))
    read_samples(2)


def write_profile() -> None:
    """Write params.yaml, a profile to be laid over it, and a lock file."""
    Path("params.yaml").write_text(PARAMS)
    Path("profiles").mkdir()
    Path("profiles/paper.yaml").write_text(PROFILE)


def read_profile() -> None:
    """Lay the profile over the settings, and check the whole."""
    from ruamel.yaml import YAML

    from stages.profile import merged, overlay
    from stages.report.provenance import changed_parameters
    from stages.settings.params import check_params

    after = merged([overlay("paper")])
    check_params(YAML(typ="safe").load(after), paths.PARAMS)
    changed_parameters(paths.PARAMS.read_text(), after)


PROFILE = "run: {seeds: [0, 1], max_epochs: null}\nmodels: {tiny: {mult: {epochs: 9}}}\n"
LOCK = """
schema: '2.0'
stages:
  train@own-mult:
    cmd: python -m stages.train own mult
    deps:
    - {path: data/cohorts/own.csv, hash: md5, md5: 0123456789abcdef0123456789abcdef, size: 10}
    outs:
    - {path: results/models/own/mult, hash: md5, md5: 0123456789abcdef0123456789abcdef.dir, size: 10, nfiles: 2}
"""


def write_locks() -> None:
    """Write a lock file of DVC, and in its cache the listing of a folder."""
    Path("dvc.lock").write_text(LOCK)
    Path("cache/files/md5/01").mkdir(parents=True)
    listing = [{"md5": "0123456789abcdef0123456789abcdee", "relpath": "0.ckpt"}]
    write_json(Path("cache/files/md5/01/23456789abcdef0123456789abcdef.dir"), listing)


def read_locks() -> None:
    """Find out what they name."""
    from stages.shared.outputs import Objects, lock_files, locked_stages

    objects = Objects(Path("cache"))
    for path in lock_files():
        for outputs in locked_stages(path.read_text(errors="replace"), path).values():
            objects.whole({output.md5 for output in outputs})


def write_stores() -> None:
    """Write features of images that experiments share, and what was found of a model's tokens."""
    from i2moe.explain.tokens.probe import keep
    from stages.shared.images.images import Store

    Store(Path("images"), 3).append(["a", "b"], np.ones((2, 3), np.float32))
    keep(Path("tokens/0.npz"), {"modality": np.array([0, 1]), "scores/attention": np.ones((2, 3))})


def read_stores() -> None:
    """Open both; what is broken there is made again."""
    from i2moe.explain.tokens.probe import kept
    from stages.shared.images.images import Store

    Store(Path("images"), 3).array()
    kept(Path("tokens/0.npz"))


PARSERS = [
    Parser("words JSON", write_words, read_words, ("features/*.words.json",)),
    Parser("interim (MM-IMDb)", write_movies, read_movies, ("data/interim/imdb/*",)),
    Parser("interim (MMHS150K)", write_tweets, read_tweets, ("data/interim/mmhs/*",), ("mmhs",)),
    Parser("visits CSV", write_visits, read_visits, ("data/cohorts/*.visits.csv",)),
    Parser(
        "interim (MIMIC-IV)", write_measurements, read_measurements, ("data/interim/mimic/*",), ("data/interim/mimic",)
    ),
    Parser("profile", write_profile, read_profile, ("profiles/*",), ("models.", "run.", "params.yaml")),
    Parser("lock files", write_locks, read_locks, ("dvc.lock", "cache/files/md5/*/*")),
    Parser("stores of features", write_stores, read_stores, ("images/*", "tokens/*")),
]
