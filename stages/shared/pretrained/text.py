"""Texts through a frozen Hugging Face encoder: each token's last hidden state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.shared.pretrained.loading import load_encoder, load_part, settings_of

TEXTS_AT_ONCE = 1000  # cut into tokens
WINDOWS_AT_ONCE = 16


@dataclass(frozen=True)
class CutText:
    """A text as an encoder reads it: ids of its tokens with the special ones, which of them are special, the words."""

    ids: NDArray[np.int32]  # [L]
    is_special: NDArray[np.bool_]  # [L]
    tokens: list[str]  # of those that are not special, the piece of the text, as it is written there
    is_cut: bool  # at the end, since the text has more tokens


class TextEncoder:
    """An encoder with its tokenizer, as they are."""

    def __init__(self, name: str, key: str) -> None:
        """Load them.

        Args:
            name: a local folder, or OWNER/NAME at the hub.
            key: of params.yaml, for errors.

        Raises:
            InputError: for what is no encoder of texts with a fast tokenizer.
        """
        self.name, self.key = name, key
        self.model, config = load_encoder(name, "text", key)
        self.tokenizer = load_part("AutoTokenizer", name, key)
        if set(self.tokenizer.get_vocab()) <= set(self.tokenizer.all_special_tokens):  # made up by transformers
            raise InputError(
                f"{key}: {name} has a model but no tokenizer: bring all of its files, such as tokenizer.json"
            )
        if not self.tokenizer.is_fast:
            raise InputError(f"{key}: {name} has no tokenizer.json, which tells where in a text its tokens are")
        self.model_type: str = config.model_type
        self.settings = settings_of(config)  # of the model
        self.dim: int = config.hidden_size
        self.window = min(self.tokenizer.model_max_length, self._positions(config))

    def _positions(self, config: Any) -> int:  # noqa: ANN401 (transformers is not typed)
        """Return how many tokens have a position; RoBERTa's start after the one of padding."""
        longest: int = getattr(config, "max_position_embeddings", None) or self.tokenizer.model_max_length
        tables = (part for name, part in self.model.named_modules() if name.endswith("position_embeddings"))
        first = next((table.padding_idx + 1 for table in tables if getattr(table, "padding_idx", None) is not None), 0)
        return longest - int(first)

    def cut(self, texts: Sequence[str], max_tokens: int) -> Iterator[CutText]:
        """Cut texts into at most `max_tokens` tokens each, not counting special ones.

        Raises:
            InputError: when the encoder cannot read as many.
        """
        special = self.tokenizer.num_special_tokens_to_add()
        if max_tokens + special > self.window:
            raise InputError(
                f"{self.key}: {self.name} reads at most {self.window - special} tokens of a text; max_tokens is "
                f"{max_tokens}: lower it"
            )
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = list(texts[start : start + TEXTS_AT_ONCE])
            encodings = self.tokenizer(part, truncation=True, max_length=max_tokens + special).encodings
            for text, own in zip(part, encodings, strict=True):
                is_special = np.array(own.special_tokens_mask, dtype=bool)
                places = (place for place, left_out in zip(own.offsets, is_special, strict=True) if not left_out)
                tokens = [text[first:last].strip() for first, last in places]
                yield CutText(np.array(own.ids, np.int32), is_special, tokens, bool(own.overflowing))

    def windows(self, texts: list[str]) -> tuple[list[int], list[list[int]]]:
        """Cut whole texts into windows as long as the encoder reads; return each window's text and its tokens' ids."""
        cut = self.tokenizer(texts, truncation=True, max_length=self.window, return_overflowing_tokens=True)
        return cut["overflow_to_sample_mapping"], cut["input_ids"]

    def means(self, texts: list[str]) -> NDArray[np.float64]:
        """Return the mean of the last hidden states of each whole text's tokens [n, D], over all of its windows."""
        text_of, windows = self.windows(texts)
        sums, counts = np.zeros((len(texts), self.dim)), np.zeros(len(texts))
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            states = self.states(windows[start : start + WINDOWS_AT_ONCE])
            for own, tokens in zip(text_of[start : start + WINDOWS_AT_ONCE], states, strict=True):
                sums[own] += tokens.sum(axis=0, dtype=np.float64)
                counts[own] += len(tokens)
        return sums / counts[:, None]

    def states(self, ids: Sequence[Sequence[int] | NDArray[np.int32]]) -> list[NDArray[np.float32]]:
        """Return the last hidden states [L, D] of texts' tokens, special ones too; texts are padded to the longest."""
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        lengths = torch.tensor([len(own) for own in ids])
        tokens = torch.full((len(ids), int(lengths.max())), self.tokenizer.pad_token_id or 0)
        for row, own in enumerate(ids):
            tokens[row, : len(own)] = torch.as_tensor(own)
        mask = torch.arange(tokens.shape[1]) < lengths[:, None]
        with torch.inference_mode():
            found = self.model.to(device)(input_ids=tokens.to(device), attention_mask=mask.long().to(device))
        states = found.last_hidden_state.float().cpu().numpy()
        return [own[:length] for own, length in zip(states, lengths.tolist(), strict=True)]
