"""Synthetic screens: which topic each has, and why (`RULE`), and the hierarchy of components that shows it.

A term that only the screenshot shows is a colour or a texture; one that only the wireframe shows is the name of a
component, as a web view and a list may look alike. Whether it is a web view or a list says nothing of the topic.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.datasets.enrico.source import OFFICIAL_CORRUPT

Ints = NDArray[np.int64]
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels
Colour = tuple[int, int, int]

WIDTH, HEIGHT = 540, 960  # as ENRICO's
MAX_ID = 72_219  # Rico's screens are numbered up to here

# (shared, screenshot, exclusive or) to a topic and its share of the screens, in which the three are independent.
TOPICS = {
    (0, 0, 0): ("tutorial", 0.15),
    (0, 0, 1): ("login", 0.12),
    (0, 1, 0): ("gallery", 0.10),
    (0, 1, 1): ("mediaplayer", 0.08),
    (1, 0, 0): ("list", 0.18),
    (1, 0, 1): ("news", 0.15),
    (1, 1, 0): ("form", 0.12),
    (1, 1, 1): ("settings", 0.10),
}
CORRUPT_TOPIC = "news"
RULE = (
    "topic by shared, screenshot and exclusive_or (screenshot_bit differs from wireframe_bit); wireframe says nothing"
)
SHOWN_BY = {
    "shared": "toolbars, in both images",
    "screenshot": "screenshots: a blue background instead of an orange one",
    "wireframe": "wireframes: a list instead of a web view",
    "screenshot_bit": "screenshots: a striped picture instead of a plain one",
    "wireframe_bit": "wireframes: the picture is a video instead of an image",
}
VISIBLE = {
    "screenshot": ("shared", "screenshot", "screenshot_bit"),
    "wireframe": ("shared", "wireframe", "wireframe_bit"),
}

BACKGROUNDS: tuple[Colour, Colour] = ((255, 214, 150), (150, 200, 255))
PICTURES: tuple[Colour, ...] = ((200, 40, 40), (30, 120, 60), (40, 60, 170), (110, 40, 130))
TOOLBARS: tuple[Colour, ...] = ((20, 20, 60), (50, 20, 20), (10, 50, 40))
BLACK, GREY, WHITE = (0, 0, 0), (70, 70, 70), (255, 255, 255)
STRIPE = 24  # pixels


@dataclass(frozen=True)
class Screens:
    """N screens in the order of design_topics.csv: id, topic, and the planted terms, all 0 or 1."""

    ids: NDArray[np.str_]
    topics: NDArray[np.str_]
    terms: dict[str, Ints]  # of SHOWN_BY, and exclusive_or


@dataclass(frozen=True)
class Component:
    """A part of a screen, drawn before its children.

    `label` names it in the wireframe, which does not show what has none; `fill` paints it in the screenshot, striped
    with white where `striped`, which does not show what has none.
    """

    box: Box
    label: str | None = None
    fill: Colour | None = None
    striped: bool = False
    children: list["Component"] = field(default_factory=list)


def draw_screens(num: int, generator: np.random.Generator) -> Screens:
    """Draw screens whose topics have their shares, the two with corrupt wireframes among them."""
    keys, shares = np.array(list(TOPICS)), np.array([share for _, share in TOPICS.values()])
    drawn = num - len(OFFICIAL_CORRUPT)
    ends = np.rint(np.cumsum(shares) * drawn).astype(int)
    cell = np.repeat(np.arange(len(keys)), np.diff(ends, prepend=0))
    corrupt = [name for name, _ in TOPICS.values()].index(CORRUPT_TOPIC)
    cell = np.append(cell, [corrupt] * len(OFFICIAL_CORRUPT))
    shared, screenshot, exclusive_or = keys[cell].T
    bit = generator.integers(2, size=num)
    terms = {
        "shared": shared,
        "screenshot": screenshot,
        "wireframe": generator.integers(2, size=num),
        "screenshot_bit": bit,
        "wireframe_bit": bit ^ exclusive_or,
        "exclusive_or": exclusive_or,
    }
    free = np.setdiff1d(np.arange(1, MAX_ID), np.array(OFFICIAL_CORRUPT, dtype=int))
    ids = np.append(generator.choice(free, drawn, replace=False).astype(str), OFFICIAL_CORRUPT)
    topics = np.array([name for name, _ in TOPICS.values()])[cell]
    order = generator.permutation(num)
    return Screens(ids[order], topics[order], {name: values[order] for name, values in terms.items()})


def build_hierarchy(terms: dict[str, int], generator: np.random.Generator) -> Component:
    """Build a screen's hierarchy: a picture, text, two buttons; where it is shared, toolbars at the top and the bottom.

    Args:
        terms: of SHOWN_BY, 0 or 1.
        generator: of places, sizes and colours that mean nothing.
    """
    top, bottom, shift = generator.integers(-12, 13, 3).tolist()
    picture = Component(
        box=(15, 225 + top, 525, 600 + bottom),
        label="Video" if terms["wireframe_bit"] else "Image",
        fill=_pick(PICTURES, generator),
        striped=bool(terms["screenshot_bit"]),
    )
    status_bar = Component(box=(0, 0, WIDTH, 40), fill=BLACK)
    fill = _pick(TOOLBARS, generator)
    toolbars = [
        Component(box=box, label="Toolbar", fill=fill) for box in ((0, 40, WIDTH, 200), (0, 860, WIDTH, HEIGHT))
    ]
    parts = [status_bar, picture, _text(terms["wireframe"], generator)]
    boxes = [(left, 865 + shift, left + 220, 930 + shift) for left in (30, 290)]
    parts += toolbars if terms["shared"] else []
    parts += [Component(box=box, label="Text Button", fill=GREY) for box in boxes]  # a wireframe is transparent there
    return Component(box=(0, 0, WIDTH, HEIGHT), fill=BACKGROUNDS[terms["screenshot"]], children=parts)


def _text(is_list: int, generator: np.random.Generator) -> Component:
    """Build lines of text: the items of a list, or a web page, whose inside no wireframe shows."""
    top, bottom = 625, 845
    num = int(generator.integers(3, 6))
    height = (bottom - top) // num
    rows = []
    for row in range(num):
        start = top + row * height
        right = 60 + int(generator.integers(200, 430))
        line = Component((60, start + 18, right, start + 36), label="Text" if is_list else None, fill=GREY)
        rows.append(Component((30, start, 510, start + height - 8), "List Item" if is_list else None, children=[line]))
    return Component((30, top, 510, bottom), None if is_list else "Web View", children=rows)


def _pick(colours: tuple[Colour, ...], generator: np.random.Generator) -> Colour:
    return colours[int(generator.integers(len(colours)))]
