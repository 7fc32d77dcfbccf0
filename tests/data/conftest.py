"""What tests of readers share."""

from __future__ import annotations

import pytest

from xdrought import set_options


@pytest.fixture(scope="module")
def whole_numbers():
    """The tests count in small whole numbers, which are no weather; the limits have tests of their own."""
    with set_options(check_limits=False):
        yield
