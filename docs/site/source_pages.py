"""A Sphinx extension: what the documents link to in the code has pages too, so that the site needs no other server."""

import ast
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri

TEXT = (".py", ".yaml", ".csv", ".md", ".html", ".css", ".js")
LINKED: set[Path] = set()  # files and folders that documents link to


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both steps: the links, and the pages that they lead to."""
    app.connect("doctree-read", link, priority=100)  # before Sphinx copies linked files as downloads
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": False}


def link(app: Sphinx, doctree: nodes.document) -> None:
    """Let links of files and folders that are no documents lead to their pages."""
    document = app.env.docname
    for node in list(doctree.findall(addnodes.download_reference)) + list(doctree.findall(addnodes.pending_xref)):
        target = Path(app.env.relfn2path(node["reftarget"], document)[1])
        if isinstance(node, addnodes.download_reference) or target.is_dir():
            node.replace_self(reference(app, document, target, node.children))


def reference(app: Sphinx, document: str, target: Path, content: list[nodes.Node]) -> nodes.reference:
    """Return a link from a document to the page of a file or folder, which is noted as one to be written."""
    LINKED.add(target)
    uri = relative_uri(app.builder.get_target_uri(document), app.builder.get_target_uri(page_name(app, target)))
    return nodes.reference("", "", *content, internal=True, refuri=uri)


def page_name(app: Sphinx, target: Path) -> str:
    """Return the name of the page of a file or folder."""
    return f"source/{target.relative_to(app.srcdir).as_posix()}"


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Return a page for all that is linked, and for all that is in linked folders."""
    within = {inner for target in LINKED if target.is_dir() for inner in target.rglob("*")}
    for path in sorted(LINKED | set(filter(is_shown, within))):
        yield page_name(app, path), page(app, path), "page.html"


def is_shown(path: Path) -> bool:
    """Return whether a folder's page leads to a file or folder in it."""
    return "__pycache__" not in path.parts and (path.is_dir() or path.suffix in TEXT)


def page(app: Sphinx, path: Path) -> dict[str, Any]:
    """Return a page's title and body."""
    title = path.relative_to(app.srcdir).as_posix()
    body = folder_body(path) if path.is_dir() else file_body(app, path)
    return {"title": title, "body": f"<h1>{html.escape(title)}</h1>{body}"}


def folder_body(folder: Path) -> str:
    """Return a list of a folder's files and folders, with what each says of itself."""
    inner = filter(is_shown, sorted(folder.iterdir()))
    lines = [f'<li><a href="{folder.name}/{each.name}.html">{each.name}</a> {summary(each)}</li>' for each in inner]
    return f"<ul>{''.join(lines)}</ul>"


def file_body(app: Sphinx, file: Path) -> str:
    """Return a file with colours and the numbers of its lines."""
    try:
        lexer = get_lexer_for_filename(file.name).aliases[0]
    except ClassNotFound:
        lexer = "text"
    return app.builder.highlighter.highlight_block(file.read_text(), lexer, linenos="inline", force=True)


def summary(path: Path) -> str:
    """Return the first line of a module's or package's docstring."""
    module = path / "__init__.py" if path.is_dir() else path
    if module.suffix != ".py" or not module.exists():
        return ""
    said = ast.get_docstring(ast.parse(module.read_text())) or ""
    return html.escape(said.partition("\n")[0])
