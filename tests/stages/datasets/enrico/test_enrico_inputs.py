"""Screens of ENRICO for people to look at."""

import base64
import io

import numpy as np
from PIL import Image

from stages.datasets.enrico.inputs import raw_inputs
from stages.inputs.thumbnails import of_file
from tests.stages.datasets.enrico.conftest import colour_of


def test_each_screen_has_its_own_screenshot_and_wireframe(project):
    project()
    found = raw_inputs("enrico", {"screenshot": ["100", "2"], "wireframe": ["30"]})
    assert [str(path) for path in found["screenshot"].paths] == ["raw/screenshots/100.jpg", "raw/screenshots/2.jpg"]
    assert [str(path) for path in found["wireframe"].paths] == ["raw/wireframes/30.png"]
    url = of_file(found["wireframe"].paths[0])
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))
    assert pixels.shape == (96, 54, 3)
    np.testing.assert_allclose(pixels[48, 10], colour_of("30"), atol=10)
    np.testing.assert_allclose(pixels[48, 44], (128, 128, 128), atol=10)
