"""What MkDocs is told beyond mkdocs.yml: pages of docs/ may link to other files of the repository.

A link to `../tests/test_x.py` works where the repository is browsed. The built pages have no
such folder beside them, so each file that is linked is copied below `sources/`, as text that every
browser shows. A link to a file that does not exist is left as it is, and fails the build.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent
LINK = re.compile(r"\]\(\.\./([\w./-]+)\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files that pages link to."""
    pages = list(files.documentation_pages())
    for path in sorted({path for page in pages for path in LINK.findall(page.content_string)}):
        source = ROOT / path
        if source.is_file():
            files.append(File.generated(config, _copy(path), abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let the links of a page point to the copies."""
    return LINK.sub(
        lambda link: f"]({_copy(link[1])})" if (ROOT / link[1]).is_file() else link[0], markdown
    )


def _copy(path: str) -> str:
    return f"sources/{path}.txt"
