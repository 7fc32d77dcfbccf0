"""The check of the built pages: does it see a broken link, and does it rank as the browser does?"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = runpy.run_path(str(ROOT / "ci" / "pages.py"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="guide/gpu.html#train">GPU</a><a href="https://x.org/no">x</a><i id="t">'
    )
    (tmp_path / "guide" / "gpu.html").write_text(
        '<h2 id="train"></h2><a href="../index.html#t">up</a><a href="#">top</a>'
    )
    return tmp_path


def test_whole_links_pass(site: Path):
    assert PAGES["broken_links"](site) == []


@pytest.mark.parametrize("target", ["gone.html", "guide/gpu.html#gone", "#gone", "map%20of.png"])
def test_a_broken_link_is_named_with_its_page(site: Path, target: str):
    (site / "page.html").write_text(f'<img src="{target}">')
    assert PAGES["broken_links"](site) == [f"page.html: {target}"]


def test_links_with_escaped_names_lead_to_the_file(site: Path):
    (site / "map of.png").touch()
    (site / "page.html").write_text('<img src="map%20of.png?digest=1">')
    assert PAGES["broken_links"](site) == []


@pytest.fixture
def index() -> dict[str, Any]:
    """Three pages: a guide on drought maps, a function `plot_map`, and a study that names maps in passing."""
    return {
        "docnames": ["guide", "api", "study"],
        "titles": ["Draw maps", "xdrought.plot_map", "Speed"],
        "alltitles": {"Draw maps": [[0, None]], "xdrought.plot_map": [[1, None]], "Speed": [[2, None]]},
        "indexentries": {"frost": [[2, "index-0", True]], "frosty": [[0, "index-1", False]]},
        "objects": {"xdrought": [[1, 0, 1, "", "plot_map"]]},
        "objnames": {"0": ["py", "function", "Python function"]},
        "terms": {"map": [1, 2], "snow": 2, "snowfall": [0]},
        "titleterms": {"map": 0, "draw": 0, "speed": 2},
    }


def found(index: dict[str, Any], query: str) -> list[tuple[str, float]]:
    results = PAGES["search"](index, query, lambda word: re.sub("s$", "", word), frozenset({"the"}))
    return [(result.page, result.score) for result in results]


def test_a_title_comes_before_a_function_before_the_text(index: dict[str, Any]):
    # a title word 15; the last part of an object's name in part 6 and its priority 5; a word of the text 5
    assert found(index, "map") == [("guide", 15), ("api", 11), ("study", 5), ("api", 5)]


def test_a_main_entry_of_the_index_comes_first_and_another_one_last(index: dict[str, Any]):
    assert found(index, "frost") == [("study", 100), ("guide", -917)]  # 100 * 5 / 6 is 83


def test_every_word_must_be_on_the_page_and_stopwords_need_not(index: dict[str, Any]):
    assert found(index, "the snow speed") == [("study", 15)]
    assert found(index, "snow draw") == []


def test_the_words_that_readers_type_have_one_page_each():
    words = runpy.run_path(str(ROOT / "docs" / "search_words.py"))["WORDS"]
    every = [word for page in words.values() for word in page]
    asked = "missing values, own data, units, percentile, gpu, cite, install, trend, map, cluster, warning"
    assert sorted(every) == sorted(set(every))
    assert set(asked.split(", ")) <= set(every)
    sources = [page for page in words if page.split("/")[0] not in ("learn", "gallery")]
    assert [page for page in sources if not (ROOT / "docs" / f"{page}.md").exists()] == []
