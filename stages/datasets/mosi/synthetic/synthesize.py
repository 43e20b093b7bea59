"""Write a synthetic CMU-MOSI: one pickle in the real one's layout, and a planted cause of the sentiment.

The sentiment follows from known terms, each visible in known features (`planted.json`): one term that only the text
shows (uniqueness), one that vision, audio and text show (redundancy), and an exclusive or of one bit in the audio and
one in the text (synergy).
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from i2moe.contract.planted import PlantedTerm
from stages.datasets.mosi.settings import SyntheticSettings
from stages.datasets.mosi.source import FILE
from stages.datasets.mosi.synthetic.utterances import (
    FOLD_VIDEOS,
    NOISE,
    RULE,
    SHARE_WITHOUT,
    SHOWN_BY,
    SPEAKER,
    WEIGHTS,
    WIDTHS,
    Synthetic,
    draw_sequences,
    draw_utterances,
)
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

PROTOCOL = 4  # of the pickle
TERMS = [
    PlantedTerm(role="uniqueness", modalities=["text"], words="a mood that only the words show"),
    PlantedTerm(
        role="redundancy", modalities=["vision", "audio", "text"], words="a mood that face, voice and words show"
    ),
    PlantedTerm(
        role="synergy",
        modalities=["audio", "text"],
        words="a voice that is at odds with the words, whichever of the two is the glad one",
    ),
]


def synthesize() -> None:
    """Write data/synthetic/mosi: mosi_data.pkl, planted.json and planted.csv."""
    settings = load_block("synthetic.mosi", SyntheticSettings)
    with new_files("mosi") as folder:
        num = write_files(folder, settings.videos, settings.seed)
    print(f"{paths.synthetic('mosi')}: synthetic CMU-MOSI of {settings.videos} videos, {num} utterances")


def write_files(folder: Path, num_videos: int, seed: int) -> int:
    """Write all files; each modality draws from a stream of its own. Return the number of utterances."""
    streams = [np.random.default_rng([seed, number]) for number in range(1 + len(WIDTHS))]
    utterances = draw_utterances(num_videos, streams[0])
    arrays: dict[str, Any] = {
        modality: draw_sequences(utterances, modality, stream)
        for modality, stream in zip(WIDTHS, streams[1:], strict=True)
    }
    arrays |= {"labels": utterances.label[:, None, None], "id": utterances.ids}
    folds = {fold: {key: values[utterances.fold == fold] for key, values in arrays.items()} for fold in FOLD_VIDEOS}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("wb") as stream:
        pickle.dump(folds, stream, protocol=PROTOCOL)
    _write_planted(folder, utterances, num_videos, seed)
    return len(utterances.video)


def _write_planted(folder: Path, utterances: Synthetic, num_videos: int, seed: int) -> None:
    """Write the rule, and each utterance's terms and sentiment."""
    sample_ids = ["_".join(part.decode() for part in parts) for parts in utterances.ids]
    table = {"sample_id": sample_ids, "fold": utterances.fold}
    table |= {f"has_{name}": has for name, has in utterances.has.items()}
    table |= {**utterances.terms, "sentiment": utterances.label}
    pd.DataFrame(table).to_csv(folder / "planted.csv", index=False, lineterminator="\n")
    write_planted(
        folder,
        RULE,
        TERMS,
        weights=WEIGHTS,
        exclusive_or="1 where audio_bit and text_bit differ, -1 where they are alike, 0 where one is 0",
        speaker=SPEAKER,
        noise=NOISE,
        shown_by=SHOWN_BY,
        absent=SHARE_WITHOUT,
        videos=num_videos,
        seed=seed,
    )


if __name__ == "__main__":
    run(synthesize)
