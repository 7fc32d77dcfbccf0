"""Fixtures that every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, max_examples=100)
hypothesis.settings.load_profile("default")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data, or a skip with the reason."""
    folder = os.environ.get("XDROUGHT_DATA_DIR")
    if not folder:
        pytest.skip("XDROUGHT_DATA_DIR is not set: no real data folder to read")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"XDROUGHT_DATA_DIR={folder} is not a folder")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test that takes minutes goes first, so that the others fill the second process meanwhile."""
    items.sort(key=lambda item: "the_quick_report_of_the_twin" not in item.name)
