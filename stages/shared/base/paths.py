"""Where every file is, relative to the project's root, in which every stage runs."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
EXAMPLES = Path("data/examples")
REPORTS = Path("reports")
SETTINGS = Path("results/settings")
CHECKED = Path("results/checked")  # that params.yaml was checked; what reads raw files depends on it


def run_settings() -> Path:
    """Return what runs, as the settings stage checked it."""
    return SETTINGS / "run.json"


def training_settings() -> Path:
    """Return which seeds are trained, and where; in a file, since DVC reads params.yaml anew for each stage."""
    return SETTINGS / "train.json"


def explanation_settings() -> Path:
    """Return where and how models are explained."""
    return SETTINGS / "explain.json"


def model_settings(dataset: str, model: str) -> Path:
    """Return a model's settings in full, as the settings stage resolved them."""
    return SETTINGS / dataset / f"{model}.json"


def cohort(dataset: str) -> Path:
    """Return the cohort's CSV; its JSON is next to it."""
    return Path("data/cohorts") / f"{dataset}.csv"


def synthetic(dataset: str) -> Path:
    """Return the folder of a dataset's synthetic raw files."""
    return Path("data/synthetic") / dataset


def interim(dataset: str) -> Path:
    """Return the folder of what several of a dataset's stages read and no model does."""
    return Path("data/interim") / dataset


def _shared() -> Path:
    """Return the project's root, also where DVC runs an experiment in a copy of it: what every experiment can use."""
    return Path(os.environ.get("DVC_ROOT", ""))


def image_features(key: str) -> Path:
    """Return the folder of the features that a network, named by the key, made of single images; not a DVC output."""
    return _shared() / "data/.images" / key


def text_features(key: str) -> Path:
    """Return the folder of the states that an encoder, named by the key, gave texts' tokens; not a DVC output."""
    return _shared() / "data/.texts" / key


def visits(dataset: str) -> Path:
    """Return the visits behind each sample: the steps of a sequence, or the one visit that a sample shows."""
    return Path("data/cohorts") / f"{dataset}.visits.csv"


def features(dataset: str) -> Path:
    """Return the folder of a dataset's feature arrays."""
    return Path("data/features") / dataset


def fitted(dataset: str, modality: str) -> Path:
    """Return what was fitted for a modality on the train split."""
    return features(dataset) / f"{modality}.fitted.npz"


def words(dataset: str, modality: str) -> Path:
    """Return the words that the steps of each sample's sequence stand for; a list without any where they are none."""
    return features(dataset) / f"{modality}.words.json"


def model_description(dataset: str, model: str) -> Path:
    """Return what a trained model is made of, and what it must know of its data; beside its weights."""
    return weights(dataset, model, 0).with_name("model.json")


def weights(dataset: str, model: str, seed: int) -> Path:
    """Return the weights of a run's best epoch."""
    return Path("results/models") / dataset / model / f"{seed}.ckpt"


def means(dataset: str, model: str, seed: int) -> Path:
    """Return the mean tokens of each modality over the train samples, beside a run's weights."""
    return weights(dataset, model, seed).with_suffix(".means.npz")


def curves(dataset: str, model: str, seed: int) -> Path:
    """Return a run's learning curves."""
    return Path("results/curves") / dataset / model / f"{seed}.csv"


def training(dataset: str, model: str, seed: int, key: str) -> Path:
    """Return the folder of one seed's training, unfinished or done; not a DVC output, so that it outlives a kill."""
    return trainings(dataset, model) / str(seed) / key


def trainings(dataset: str, model: str) -> Path:
    """Return the folder of a model's trainings, SEED/KEY."""
    return Path("results/.training") / dataset / model


def explaining(dataset: str, model: str, seed: int, key: str) -> Path:
    """Return the folder of what was found of one seed's tokens; not a DVC output, so that it outlives a kill."""
    return Path("results/.explaining") / dataset / model / str(seed) / key


def metrics(dataset: str, model: str) -> Path:
    """Return the test metrics' mean and standard deviation over seeds, which DVC shows; in git."""
    return Path("results/metrics") / dataset / f"{model}.json"


def scores(dataset: str, model: str) -> Path:
    """Return every split's metrics by seed, with intervals; in git."""
    return Path("results/metrics") / dataset / f"{model}.csv"


def card(dataset: str) -> Path:
    """Return what the report must know about a dataset."""
    return Path("results/cards") / f"{dataset}.json"


def inputs(dataset: str) -> Path:
    """Return what the report shows of single test samples' inputs."""
    return Path("results/inputs") / f"{dataset}.json"


def predictions(dataset: str, model: str) -> Path:
    """Return the per-sample predictions of all seeds."""
    return Path("results/predictions") / dataset / f"{model}.parquet"


def differences(dataset: str) -> Path:
    """Return the comparison of a dataset's models with each other."""
    return Path("results/differences") / f"{dataset}.csv"


def gains(dataset: str) -> Path:
    """Return what each of a dataset's models gains over the one that it starts from."""
    return differences(dataset).with_suffix(".gains.csv")


def explanations(dataset: str, model: str) -> Path:
    """Return the folder of a model's explanations."""
    return Path("results/explanations") / dataset / model
