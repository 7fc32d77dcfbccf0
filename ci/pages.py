"""The built pages as a reader uses them: does every internal link lead somewhere, and does the search find the page?

    python ci/pages.py docs/_build/html

`bash ci/docs` runs it after the build. Links to other sites are not followed, so it works offline. The search ranks as
Sphinx's own script does in the browser (searchtools.js of Sphinx 9): titles, index entries, names of objects, words.
What readers type, and the page that should come first, stand in docs/search_words.py.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """Where a page leads to, and the places in it that others may lead to."""

    def __init__(self, text: str):
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.update(name for name in (given.get("id"), given.get("name")) if name)
        self.targets += [target for target in (given.get("href"), given.get("src")) if target]


class Result(NamedTuple):
    page: str
    title: str
    anchor: str
    score: float


def broken_links(root: Path) -> list[str]:
    """Internal links of the pages below `root` that lead to no file, or to no place in it, one line each."""
    files = [path for path in sorted(root.rglob("*.html")) if path.relative_to(root).parts[0] != "_static"]
    pages = {path.resolve(): Links(path.read_text(encoding="utf-8")) for path in files}
    found = []
    for page, links in pages.items():
        for target in dict.fromkeys(links.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or target == "#":
                continue
            to = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchor = unquote(parts.fragment)
            # Pages of source code lead back by names that the function has elsewhere; the page itself is right.
            is_source = page.relative_to(root.resolve()).parts[0] == "_modules"
            if not to.exists() or (anchor and to in pages and anchor not in pages[to].anchors and not is_source):
                found.append(f"{page.relative_to(root.resolve())}: {target}")
    return found


def read_index(path: Path) -> dict[str, Any]:
    """The search index that Sphinx wrote."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text[text.index("(") + 1 : text.rindex(")")])


def search(index: dict[str, Any], query: str, stem: Callable[[str], str], stopwords: frozenset[str]) -> list[Result]:
    """Results of a query, best first; of results of the same score the title decides."""
    words = [word for word in re.findall(r"\w+", query) if word.lower() not in stopwords and not word.isdigit()]
    found = [
        *_titles(index, query.lower().strip()),
        *_entries(index, query.lower().strip()),
        *_objects(index, re.findall(r"\w+", query.lower())),
        *_texts(index, [stem(word.lower()) for word in words]),
    ]
    return sorted(found, key=lambda result: (-result.score, result.title.lower()))


def _titles(index: dict[str, Any], query: str) -> Iterator[Result]:
    for title, places in index["alltitles"].items():
        if query in title.lower() and len(query) >= len(title) / 2:
            for page, anchor in places:
                is_whole = index["titles"][page] == title
                score = _rounded(15 * len(query) / len(title)) + is_whole
                yield Result(index["docnames"][page], title, anchor or "", score)


def _entries(index: dict[str, Any], query: str) -> Iterator[Result]:
    for entry, places in index["indexentries"].items():
        if query in entry and len(query) >= len(entry) / 2:
            for page, anchor, is_main in places:
                score = _rounded(100 * len(query) / len(entry))
                # Entries that are not the main ones come after all other results.
                score = score if is_main else score - 1000
                yield Result(index["docnames"][page], index["titles"][page], anchor, score)


def _objects(index: dict[str, Any], words: list[str]) -> Iterator[Result]:
    priorities = {0: 15, 1: 5, 2: -5}
    for word in words:
        for prefix, entries in index["objects"].items():
            for page, kind, priority, _, name in entries:
                full = f"{prefix}.{name}" if prefix else name
                hay = f"{prefix} {name} {index['objnames'][str(kind)][2]} {index['titles'][page]}".lower()
                if word not in full.lower() or any(other not in hay for other in words if other != word):
                    continue
                last = full.lower().split(".")[-1]
                score = 11 if word in (full.lower(), last) else 6 if word in last else 0
                yield Result(index["docnames"][page], full, full, score + priorities.get(priority, 0))


def _texts(index: dict[str, Any], words: list[str]) -> Iterator[Result]:
    """Pages that hold every word; of a page counts the best of its words, a whole word before a part of one."""
    scores: dict[int, dict[str, int]] = {}
    for word in dict.fromkeys(words):
        matches = [(5, index["terms"], [word]), (15, index["titleterms"], [word])]
        for score, terms in ((2, index["terms"]), (7, index["titleterms"])):
            is_part = len(word) > 2 and word not in terms
            matches.append((score, terms, [term for term in terms if word in term] if is_part else []))
        for score, terms, matching in matches:
            for term in matching:
                pages = terms.get(term, [])
                for page in pages if isinstance(pages, list) else [pages]:
                    scores.setdefault(page, {})[word] = score
    needed = {len(set(words)), len({word for word in words if len(word) > 2})}
    for page, by_word in scores.items():
        if len(by_word) in needed:
            yield Result(index["docnames"][page], index["titles"][page], "", max(by_word.values()))


def _rounded(value: float) -> int:
    return int(value + 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of the built pages")
    parser.add_argument("--query", help="show the first results of this query instead")
    args = parser.parse_args()
    from sphinx.search.en import SearchEnglish

    english = SearchEnglish({})
    index = read_index(args.root / "searchindex.js")
    stopwords = frozenset(english.stopwords)
    if args.query:
        print(*search(index, args.query, english.stem, stopwords)[:8], sep="\n")
        return
    wrong = [f"broken link in {line}" for line in broken_links(args.root)]
    wanted = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "search_words.py"))["WORDS"]
    queries = [(query, page) for page, words in wanted.items() for query in words]
    for query, page in queries:
        found = [result.page for result in search(index, query, english.stem, stopwords)]
        if found[:1] != [page]:
            wrong.append(f"the search for {query!r} finds {found[0] if found else 'nothing'} first, not {page}")
    print(*wrong, sep="\n")
    print(f"{len(wrong)} wrong; {len(index['docnames'])} pages, {len(queries)} queries")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
