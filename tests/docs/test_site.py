"""The pages that `make docs` builds: every document is one, and all that they ask for is there."""

import html
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, name_of

ASKED_AT_ONCE = {"link", "script", "img", "source", "iframe"}  # elements whose addresses a browser opens by itself


class Page(HTMLParser):
    """The addresses and ids of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.ids |= {value for name, value in attrs if name == "id"}
        self.links += [(tag, value) for name, value in attrs if name in ("href", "src") and value]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the pages, built as `make docs` does."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-c", "docs/site", ".", str(site)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ)
    assert built.returncode == 0, built.stderr
    return site


@pytest.fixture(scope="module")
def pages(site):
    """Every page by its path."""
    return {path: Page(path) for path in site.rglob("*.html")}


def test_make_docs_builds_them_so():
    assert "sphinx-build -q -E -W --keep-going -c docs/site . site" in (ROOT / "Makefile").read_text()


def test_every_document_is_a_page_that_the_menu_lists(site, pages):
    start = site / "docs/site/index.html"
    listed = {(start.parent / urlsplit(link).path).resolve() for _, link in pages[start].links}
    for document in DOCUMENTS:
        assert (site / name_of(document)).with_suffix(".html") in listed


def test_every_link_within_the_pages_leads_somewhere(pages):
    for path, page in pages.items():
        for _, link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path}: {link}"
            assert not parts.fragment or target.suffix != ".html" or unquote(parts.fragment) in pages[target].ids, (
                f"{path}: {link}"
            )


def test_no_page_asks_another_server_by_itself(pages):
    asked = {link for page in pages.values() for tag, link in page.links if tag in ASKED_AT_ONCE}
    assert not {link for link in asked if urlsplit(link).netloc}


def test_code_that_documents_link_to_is_shown(site):
    shown = html.unescape(re.sub(r"<[^>]+>", "", (site / "source/i2moe/training.py.html").read_text()))
    assert "class TrainingModule(lightning.LightningModule):" in shown
    assert 'href="fusion/mult.py.html"' in (site / "source/i2moe/fusion.html").read_text()
