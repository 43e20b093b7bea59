"""Tiny Hugging Face encoders with random weights (synthetic), as folders that save_pretrained writes."""

import json

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, "war", "love", "sea", "and", "the", "a", "storm", "##s", "##y", ".", ","]
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
SIDE, PATCH = 32, 8  # pixels


def write_text_encoder(folder, window=32, **changes):
    """Write a BERT of 8 features with a tokenizer of few words; it reads `window` tokens, special ones counted."""
    import transformers

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=window).save_pretrained(folder)
    transformers.set_seed(0)
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=window, **SIZES | changes)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def vision_model(kind):
    """Return a tiny vision model by name, for images of 32 x 32 pixels in 4 x 4 patches."""
    import transformers

    transformers.set_seed(0)
    sizes = SIZES | {"image_size": SIDE, "patch_size": PATCH}
    if kind == "CLIPModel":
        text = SIZES | {"vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1}
        return transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=sizes, projection_dim=4))
    more = {"num_register_tokens": 3} if "Registers" in kind else {}
    config = getattr(transformers, kind.replace("Model", "Config"))
    return getattr(transformers, kind)(config(**sizes | more))


def write_processor(folder, **changes):
    """Write how images are made for a model: mean and deviation of their channels, size and way of resizing."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "image_processor_type": "ViTImageProcessor",
        "image_mean": [0.5, 0.25, 0.125],
        "image_std": [0.5, 0.25, 2.0],
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(about | changes))


def write_vision_encoder(folder, kind="ViTModel"):
    """Write a vision model with its image processor."""
    vision_model(kind).save_pretrained(folder)
    write_processor(folder)
    return folder
