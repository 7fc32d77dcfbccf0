"""Windows of days and cells, labelled, and the fast way from them to tensors."""

from xdrought.windows.labelled import Patches, patches

__all__ = ["Patches", "patches"]
