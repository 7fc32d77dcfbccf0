"""Networks, their training and their use: tensors in, tensors out; no labels here."""

from xdrought.models.zoo import VARIANTS, Architecture, build

__all__ = ["VARIANTS", "Architecture", "build"]
