"""Write a synthetic ENRICO: the files, names and quirks of the real one, and a planted cause of the topic.

The topic follows from known terms, each visible in known images (`planted.json`): one term that only screenshots show
(uniqueness), one that both show (redundancy), and an exclusive or of one bit in each (synergy).
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from i2moe.contract.planted import PlantedTerm
from stages.datasets.enrico.settings import SyntheticSettings
from stages.datasets.enrico.source import IMAGES, ISSUES_FILE, OFFICIAL_CORRUPT, TOPICS_FILE, image_path
from stages.datasets.enrico.synthetic.drawing import draw_screenshot, draw_wireframe
from stages.datasets.enrico.synthetic.screens import (
    RULE,
    SHOWN_BY,
    TOPICS,
    VISIBLE,
    Screens,
    build_hierarchy,
    draw_screens,
)
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

if TYPE_CHECKING:
    from stages.datasets.enrico.synthetic.screens import Component

# Source, description and severity of issues.csv; the share of screens that have it; all as in the real file.
MISMATCH = ("wireframe", "complete mismatch", "high")
OFFSET = ("wireframe", "systematic vertical offset", "medium")
HIERARCHY = ("hierarchy", "missing checkboxes", "low")
CORRUPT = ("wireframe", "not available", "high")
SHARES = {MISMATCH: 0.01, OFFSET: 0.01, HIERARCHY: 0.02}
OFFSET_PIXELS = 60
CORRUPT_BYTES = 200  # of a wireframe that are there
QUALITY = 90  # of a JPEG
LAYOUTS = 4  # of screens that show the same; a file that many screens have goes through the network once
TERMS = [
    PlantedTerm(role="uniqueness", modalities=["screenshot"], words="the colour of the background"),
    PlantedTerm(role="redundancy", modalities=["screenshot", "wireframe"], words="toolbars, which both images show"),
    PlantedTerm(
        role="synergy",
        modalities=["screenshot", "wireframe"],
        words="a striped picture that is no video, or a video without stripes, but not both",
    ),
]

Issue = tuple[str, str, str]


def synthesize() -> None:
    """Write data/synthetic/enrico: every file that the other stages read, planted.json and planted.csv."""
    settings = load_block("synthetic.enrico", SyntheticSettings)
    with new_files("enrico") as folder:
        write_files(folder, settings.screens, settings.seed)
    print(f"{paths.synthetic('enrico')}: synthetic ENRICO of {settings.screens} screens")


def write_files(folder: Path, num_screens: int, seed: int) -> None:
    """Write all files; each screen has one of the LAYOUTS, which draw from streams of their own."""
    screens = draw_screens(num_screens, np.random.default_rng([seed, 0]))
    issues = draw_issues(screens, np.random.default_rng([seed, 1]))
    for name, _ in IMAGES.values():
        (folder / name).mkdir(parents=True)
    layouts = np.random.default_rng([seed, 2]).integers(LAYOUTS, size=num_screens)
    shown = [
        ({name: int(values[row]) for name, values in screens.terms.items()}, layout)
        for row, layout in enumerate(layouts.tolist())
    ]
    drawn: dict[Any, bytes] = {}  # by all that decides on a file
    for row, sample_id in enumerate(screens.ids):
        for image, (terms, layout), issue in (
            ("screenshot", shown[row], None),
            # A mismatched wireframe is another screen's.
            ("wireframe", shown[row - (issues.get(sample_id) == MISMATCH)], issues.get(sample_id)),
        ):
            key = (image, layout, issue, *(terms[name] for name in VISIBLE[image]))
            if key not in drawn:
                drawn[key] = _file(image, build_hierarchy(terms, np.random.default_rng([seed, 3, layout])), issue)
            image_path(str(folder), image, sample_id).write_bytes(drawn[key])
    _write_tables(folder, screens, issues, seed)


def _file(image: str, hierarchy: "Component", issue: Issue | None) -> bytes:
    """Return a screenshot as a JPEG file, or a wireframe as a PNG file with its flaw."""
    buffer = io.BytesIO()
    if image == "screenshot":
        draw_screenshot(hierarchy).save(buffer, "JPEG", quality=QUALITY)
    else:
        draw_wireframe(hierarchy, OFFSET_PIXELS if issue == OFFSET else 0).save(buffer, "PNG")
    content = buffer.getvalue()
    return content[:CORRUPT_BYTES] if issue == CORRUPT else content


def draw_issues(screens: Screens, generator: np.random.Generator) -> dict[str, Issue]:
    """Return the flawed screens with what each has: the two corrupt wireframes, and some of every other kind."""
    others = generator.permutation(screens.ids[~np.isin(screens.ids, OFFICIAL_CORRUPT)]).tolist()
    issues: dict[str, Issue] = dict.fromkeys(OFFICIAL_CORRUPT, CORRUPT)
    for issue, share in SHARES.items():
        for _ in range(max(1, round(share * len(screens.ids)))):
            issues[others.pop()] = issue
    return issues


def _write_tables(folder: Path, screens: Screens, issues: dict[str, Issue], seed: int) -> None:
    """Write design_topics.csv and issues.csv, the rule, and each screen's terms."""
    tables = {
        TOPICS_FILE: pd.DataFrame({"screen_id": screens.ids, "topic": screens.topics}),
        ISSUES_FILE: pd.DataFrame(
            [(own, *issue) for own, issue in issues.items()], columns=["screen_id", "source", "description", "severity"]
        ),
        "planted.csv": pd.DataFrame({"screen_id": screens.ids, **screens.terms, "topic": screens.topics}),
    }
    for name, table in tables.items():
        table.to_csv(folder / name, index=False, lineterminator="\n")
    write_planted(
        folder,
        RULE,
        TERMS,
        topics=[
            {"shared": shared, "screenshot": screenshot, "exclusive_or": exclusive_or, "topic": name, "share": share}
            for (shared, screenshot, exclusive_or), (name, share) in TOPICS.items()
        ],
        shown_by=SHOWN_BY,
        screens=len(screens.ids),
        seed=seed,
    )


if __name__ == "__main__":
    run(synthesize)
