"""Numbers of the pages that take less than a minute are those that their commands give today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str):
    """A script of the documentation as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "studies" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "name", "function"),
    [
        ("choices.md", "reproduce_docs", "choices_as_markdown"),
        ("recurrence_growth.md", "recurrence_growth", "table"),
    ],
)
def test_a_page_holds_what_its_command_gives(page, name, function):
    pytest.importorskip("torch")
    written = (ROOT / "docs" / "_include" / page).read_text(encoding="utf-8")
    made = getattr(script(name), function)()
    assert len(made.splitlines()) > 3
    assert written.startswith(made), f"run python docs/studies/{name}.py: {page} is older than the code"


def test_statements_about_the_network_and_the_published_table_hold():
    from xdrought.models import build
    from xdrought.reproduction import published

    text = (ROOT / "docs" / "studies" / "what_the_paper_shows.md").read_text(encoding="utf-8")
    for variant, said in published.PARAMETERS.items():
        assert sum(p.numel() for p in build(variant).parameters()) == said
        assert f"{said:,}" in text
    below = [name for name, value in published.ACCURACY.items() if value < published.SHARE["no_drought"]]
    assert len(below) == 4
    assert "Four of the five published models, at 0.69 to 0.72, are below the 0.738" in text.replace("\n", " ")
