"""Draw a hierarchy of components twice: as a screenshot, and as a wireframe in the colours of ENRICO's legend."""

from typing import TYPE_CHECKING

from stages.datasets.enrico.synthetic.screens import HEIGHT, STRIPE, WHITE, WIDTH, Component

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

# Of ENRICO's component_legend.json.
LEGEND = {
    "Image": "#F06292",
    "List Item": "#FFE0B2",
    "Text": "#4A148C",
    "Toolbar": "#4DD0E1",
    "Video": "#00CC00",
    "Web View": "#42A5F5",
}
TRANSPARENT = (0, 0, 0, 0)  # of what the legend does not have, and of some text buttons, as in ENRICO's sample 10594


def draw_screenshot(root: Component) -> "Image.Image":
    """Draw all that is painted, RGB."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), WHITE)
    _paint(ImageDraw.Draw(image), root)
    return image


def _paint(canvas: "ImageDraw.ImageDraw", component: Component) -> None:
    left, top, right, bottom = component.box
    if component.fill:
        canvas.rectangle((left, top, right - 1, bottom - 1), component.fill)
    if component.striped:
        for start in range(top, bottom, 2 * STRIPE):
            canvas.rectangle((left, start, right - 1, min(start + STRIPE, bottom) - 1), WHITE)
    for child in component.children:
        _paint(canvas, child)


def draw_wireframe(root: Component, offset: int = 0) -> "Image.Image":
    """Draw all that has a label, RGBA, moved down by so many pixels."""
    from PIL import Image, ImageDraw

    image = Image.new("RGBA", (WIDTH, HEIGHT), WHITE)
    _fill(ImageDraw.Draw(image), root, offset)
    return image


def _fill(canvas: "ImageDraw.ImageDraw", component: Component, offset: int) -> None:
    left, top, right, bottom = component.box
    if component.label:
        canvas.rectangle((left, top + offset, right - 1, bottom + offset - 1), LEGEND.get(component.label, TRANSPARENT))
    for child in component.children:
        _fill(canvas, child, offset)
