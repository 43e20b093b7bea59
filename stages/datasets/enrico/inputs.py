"""Screens of ENRICO for people to look at: screenshots and wireframes as their files have them."""

from collections.abc import Mapping

from stages.datasets.enrico.settings import Settings
from stages.datasets.enrico.source import image_path
from stages.shared.base.params import load_block
from stages.shared.inputs import Images, Raw


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return the images of screens; see `stages.shared.inputs`."""
    raw = load_block(f"data.{dataset}", Settings).raw
    return {name: Images([image_path(raw, name, own) for own in ids]) for name, ids in samples.items()}
