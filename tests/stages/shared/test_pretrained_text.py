"""Texts through a frozen Hugging Face encoder: a tiny BERT with random weights, written here (synthetic)."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from i2moe.base.errors import InputError
from stages.shared.pretrained import token_store
from stages.shared.pretrained.text import TextEncoder
from stages.shared.pretrained.token_store import embed
from tests.tiny_encoders import WORDS, write_processor, write_text_encoder

transformers = pytest.importorskip("transformers", reason="needs the extra 'transformers'")
TEXTS = [
    "War and the SEA.",
    "love",
    "",
    "the stormy sea, the storms and a war, love and love and war and sea and the storm",
    "a sea",
    "love",
    "storms",
]
EXACT = 2**-10  # half precision, of numbers of about 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in an empty folder with a tiny encoder."""
    monkeypatch.chdir(tmp_path)
    return write_text_encoder(tmp_path / "bert")


@pytest.fixture
def encoder(folder):
    return TextEncoder(str(folder), "key")


@pytest.fixture
def count(monkeypatch):
    """Collect the texts that an encoder reads."""
    seen = []
    real = TextEncoder.states

    def spy(self, ids):
        seen.extend(ids)
        return real(self, ids)

    monkeypatch.setattr(TextEncoder, "states", spy)
    return seen


def embedded(texts, encoder, max_tokens=20):
    """Return the states of each text's tokens as a list of arrays."""
    steps = embed(list(encoder.cut(texts, max_tokens)), encoder)
    return np.split(np.asarray(steps.table[steps.rows], np.float32), steps.lengths.cumsum()[:-1])


def direct(folder, words):
    """Return the last hidden states of one text alone, without padding and without the special tokens."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ids = torch.tensor([[WORDS.index(word) for word in ["[CLS]", *words, "[SEP]"]]])
    with torch.inference_mode():
        return model(input_ids=ids).last_hidden_state[0, 1:-1].numpy()


# Tokens


def test_a_text_is_cut_into_its_pieces_as_they_are_written_there(encoder):
    first, _, empty, long = list(encoder.cut(TEXTS, 6))[:4]
    assert first.tokens == ["War", "and", "the", "SEA", "."]
    assert first.ids.tolist() == [2, *(WORDS.index(word) for word in ("war", "and", "the", "sea", ".")), 3]
    assert first.is_special.tolist() == [True, *[False] * 5, True]
    assert not first.is_cut
    assert (empty.tokens, empty.ids.tolist()) == ([], [2, 3])
    assert long.tokens == ["the", "storm", "y", "sea", ",", "the"]
    assert long.is_cut


# Features


def test_a_step_is_the_last_state_of_its_token_and_special_tokens_are_none(folder, encoder):
    found = embedded(TEXTS, encoder)
    assert [len(own) for own in found] == [5, 1, 0, 20, 2, 1, 2]
    np.testing.assert_allclose(found[0], direct(folder, ["war", "and", "the", "sea", "."]), atol=EXACT)
    np.testing.assert_allclose(found[6], direct(folder, ["storm", "##s"]), atol=EXACT)
    assert found[0].std() > 0.1


def test_padding_never_changes_a_tokens_state(encoder):
    cuts = list(encoder.cut(TEXTS, 20))
    together = encoder.states([cut.ids for cut in cuts])
    for cut, states in zip(cuts, together, strict=True):
        np.testing.assert_allclose(states, encoder.states([cut.ids])[0], atol=1e-5)


@pytest.mark.parametrize("size", [1, 30, 4096])
def test_neither_order_nor_batches_change_the_states(encoder, monkeypatch, tmp_path, size):
    usual = embedded(TEXTS, encoder)
    monkeypatch.chdir(tmp_path / "bert")  # another store
    monkeypatch.setattr(token_store, "TOKENS_AT_ONCE", size)
    for own, turned in zip(usual, embedded(TEXTS[::-1], encoder)[::-1], strict=True):
        np.testing.assert_allclose(own, turned, atol=EXACT)


def test_batches_are_of_texts_of_like_length_and_of_limited_size(encoder, monkeypatch):
    sizes = []
    real = TextEncoder.states
    monkeypatch.setattr(
        TextEncoder, "states", lambda self, ids: sizes.append([len(own) for own in ids]) or real(self, ids)
    )
    monkeypatch.setattr(token_store, "TOKENS_AT_ONCE", 13)
    embedded(TEXTS, encoder)
    assert sizes == [[22], [7], [4, 4, 3]]


# Store


def test_each_text_is_computed_once_whatever_the_order_and_the_cohort(encoder, count, capsys):
    first = embedded(TEXTS[:5], encoder)
    assert len(count) == 4  # one is empty
    assert "4 new texts, 28 tokens, 0 MB under data/.texts/bert-" in capsys.readouterr().out
    again = embedded([TEXTS[6], *TEXTS[4::-1]], encoder)
    assert len(count) == 5
    for before, after in zip(first, again[:0:-1], strict=True):
        np.testing.assert_array_equal(before, after)


def test_another_limit_computes_only_the_texts_that_it_cuts_elsewhere(encoder, count):
    embedded(TEXTS, encoder, max_tokens=20)
    before = len(count)
    embedded(TEXTS, encoder, max_tokens=6)
    assert len(count) == before + 1


def test_other_weights_or_settings_have_a_store_of_their_own_and_another_folder_has_not(encoder, count, tmp_path):
    embedded(TEXTS[:1], encoder)
    embedded(TEXTS[:1], TextEncoder(str(write_text_encoder(tmp_path / "same")), "key"))
    assert len(count) == 1
    embedded(TEXTS[:1], TextEncoder(str(write_text_encoder(tmp_path / "other", layer_norm_eps=1e-3)), "key"))
    embedded(TEXTS[:1], TextEncoder(str(write_text_encoder(tmp_path / "wider", intermediate_size=32)), "key"))
    assert len(count) == 3


def test_a_store_cut_at_any_byte_ends_with_the_same_states(encoder):
    whole = embedded(TEXTS, encoder)
    folder = next(Path("data/.texts").iterdir())
    for name in ("features.f16", "keys.txt"):
        content = {path.name: path.read_bytes() for path in folder.iterdir()}
        for size in range(0, len(content[name]), 7):
            for other, own in content.items():
                (folder / other).write_bytes(own[:size] if other == name else own)
            for before, after in zip(whole, embedded(TEXTS, encoder), strict=True):
                np.testing.assert_allclose(before, after, atol=EXACT)


def test_an_interrupted_run_loses_at_most_a_batch_and_ends_with_the_same_states(encoder, count, monkeypatch):
    texts = ["love" + " sea" * number for number in range(15)]
    spy = TextEncoder.states

    def stop(self, ids):
        if len(count) >= 6:
            raise KeyboardInterrupt
        return spy(self, ids)

    monkeypatch.setattr(token_store, "TOKENS_AT_ONCE", 40)
    monkeypatch.setattr(TextEncoder, "states", stop)
    with pytest.raises(KeyboardInterrupt):
        embedded(texts, encoder)
    monkeypatch.setattr(TextEncoder, "states", spy)
    kept = len(count)
    assert 6 <= kept < 15
    found = embedded(texts, encoder)
    assert len(count) == 15
    Path("data/.texts").rename("elsewhere")
    for own, undisturbed in zip(found, embedded(texts, encoder), strict=True):
        np.testing.assert_allclose(own, undisturbed, atol=EXACT)


# Errors


def refused(message, name, texts=("war",), max_tokens=5):
    with pytest.raises(InputError, match=message):
        embedded(list(texts), TextEncoder(str(name), "data.key"), max_tokens)
    assert not Path("data").exists()


@pytest.mark.parametrize("name", ["nowhere", "./nowhere/bert", "/nowhere/bert", "a/b/c"])
@pytest.mark.usefixtures("folder")
def test_a_folder_that_is_missing(name):
    refused(r"^data.key: there is no folder .*; allowed: a local folder, or OWNER/NAME of the hub$", name)


@pytest.mark.usefixtures("folder")
def test_a_name_that_the_hub_does_not_give(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(
        r"^data.key: the hub's nobody/nothing holds no Hugging Face model that AutoModel can load \(", "nobody/nothing"
    )


def test_weights_that_are_a_pickle_are_never_read(folder):
    state = transformers.AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    refused(r"bert holds no \*.safetensors, and other files of weights may hold code and are not read", folder)


def test_code_beside_a_model_is_never_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    refused(r"the folder .*bert holds no Hugging Face model that AutoModel can load", folder)
    assert not Path("ran").exists()


def test_a_folder_without_a_configuration(folder):
    (folder / "config.json").unlink()
    refused(r"the folder .*bert holds no Hugging Face model that AutoModel can load", folder)


def test_a_folder_without_a_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    refused(r"data.key: .*bert has a model but no tokenizer: bring all of its files", folder)


def test_a_tokenizer_that_does_not_tell_places(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    transformers.ByT5Tokenizer().save_pretrained(folder)
    refused(r"data.key: .*bert has no tokenizer.json, which tells where in a text its tokens are", folder)


@pytest.mark.usefixtures("folder")
def test_models_that_encode_no_texts(tmp_path):
    vision = transformers.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    transformers.ViTModel(vision).save_pretrained(tmp_path / "vit")
    write_processor(tmp_path / "vit")
    refused(r"data.key: .*vit is a model of type 'vit', which is no encoder of texts", tmp_path / "vit")
    both = transformers.T5Config(vocab_size=10, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    transformers.T5Model(both).save_pretrained(tmp_path / "t5")
    refused(r"t5 is a model of type 't5', which is no encoder of texts", tmp_path / "t5")


def test_a_limit_that_the_encoder_does_not_reach(folder):
    refused(r"data.key: .*bert reads at most 30 tokens of a text; max_tokens is 31: lower it", folder, max_tokens=31)


def test_positions_that_start_after_padding_are_counted(folder):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.RobertaConfig(vocab_size=len(WORDS), max_position_embeddings=12, pad_token_id=1, **sizes)
    transformers.RobertaModel(config).save_pretrained(folder)  # its positions are 2 to 11
    refused(r"bert reads at most 8 tokens of a text; max_tokens is 9: lower it", folder, max_tokens=9)
    assert len(embedded([TEXTS[3]], TextEncoder(str(folder), "key"), 8)[0]) == 8


def test_states_that_half_precision_cannot_hold(folder):
    model = transformers.AutoModel.from_pretrained(folder)
    model.encoder.layer[-1].output.LayerNorm.weight.data *= 1e6
    model.save_pretrained(folder)
    with pytest.raises(InputError, match=r"bert returns what float16 cannot hold: are these the right weights\?"):
        embedded(["war"], TextEncoder(str(folder), "key"))


def test_an_environment_without_transformers(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(r"data.key needs the package transformers: pip install 'i2moe\[transformers\]'", folder)
