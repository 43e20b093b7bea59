"""Notes embedded by a local Hugging Face model: a tiny BERT with random weights, written here (synthetic)."""

import json
from pathlib import Path

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.note.features import load_model, note
from stages.shared.base import paths

transformers = pytest.importorskip("transformers", reason="needs the extra 'transformers'")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lung", "kidney", "spleen"]


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "tiny-bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=6)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.set_seed(0)
    transformers.BertModel(
        transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=6, **sizes)
    ).save_pretrained(folder)
    return folder


def test_a_note_is_the_mean_of_its_tokens_over_all_windows(model_folder):
    import torch

    embed = load_model(str(model_folder))
    model = transformers.AutoModel.from_pretrained(model_folder).eval()
    # Six words are cut into windows of six tokens with [CLS] and [SEP]: four words and two.
    windows = [[2, 4, 5, 6, 7, 3], [2, 4, 4, 3]]
    with torch.inference_mode():
        states = [model(input_ids=torch.tensor([window])).last_hidden_state[0] for window in windows]
    found = embed(["heart ___ LUNG kidney spleen heart heart", "heart heart"])
    assert found[0] == pytest.approx(torch.cat(states).mean(dim=0).numpy(), abs=1e-5)
    assert found[1] == pytest.approx(states[1].mean(dim=0).numpy(), abs=1e-5)


def test_the_stage_standardises_the_models_embeddings_on_train(project, model_folder):
    project(note={"model": str(model_folder)})
    for stage in (measurements, cohort, note):
        stage()
    folder = paths.features("mimic")
    about = json.loads((folder / "note.json").read_text())
    assert about["model"] == str(model_folder)
    assert about["shape"] == [8, 8]
    assert about["fitted"]["what"] == "means, scales"
    array = np.load(folder / "note.npy")
    split = [line.split(",")[2] for line in paths.cohort("mimic").read_text().splitlines()[1:]]
    steps = array[np.array(split) == "train"].reshape(-1, 8)
    assert steps[(steps != 0).any(axis=1)].mean(axis=0) == pytest.approx(0, abs=1e-5)


def test_a_folder_without_a_model_is_refused(project):
    project(note={"model": "nowhere"})
    measurements()
    cohort()
    with pytest.raises(InputError, match=r"data.mimic.note.model: there is no folder nowhere"):
        note()
    assert not Path("data/features").exists()
