"""Settings of the documentation's pages, which `make docs` builds with Sphinx from the documents where they lie."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "i2moe"
author = "the i2moe maintainers"
release = version_of("i2moe")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "source_pages"]
root_doc = "docs/site/index"
include_patterns = ["*.md", "docs/*.md", "docs/site/*.md", "stages/datasets/*/README.md", "benchmarks/RESULTS.md"]
exclude_patterns = [".*", "data", "results", "reports", "tests", "site"]
default_role = "code"  # single backticks in docstrings

myst_heading_anchors = 4  # named as GitHub names them

templates_path = ["."]
html_additional_pages = {"index": "start.html"}
html_theme = "furo"
html_title = "i2moe"
html_copy_source = False
html_show_copyright = False
