"""Figures of the report that are of no use elsewhere, and how a figure becomes a picture of the page."""

from __future__ import annotations

import io
from typing import Any


def picture(drawn: Any, *, dpi: int = 110) -> bytes:
    """PNG of an Axes' figure, which is then closed."""
    import matplotlib.pyplot as plt

    figure = drawn if hasattr(drawn, "savefig") else drawn.figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return _few_colours(buffer.getvalue())


def _few_colours(png: bytes) -> bytes:
    """The same picture with a palette: a third of the bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(128).save(buffer, format="png", optimize=True)
    return min(buffer.getvalue(), png, key=len)
