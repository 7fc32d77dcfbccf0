"""What tests of pictures share."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def offline_and_tidy(monkeypatch):
    """No picture may open a connection, show itself or change matplotlib's settings."""
    import matplotlib
    import matplotlib.pyplot as plt

    def refuse(*args, **kwargs):
        raise AssertionError("a picture tried to use the network or to show itself")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(plt, "show", refuse)
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before
