"""The paper's experiments, made of the other rooms: configurations on the same days, paired over sites and seeds.

- :func:`~xdrought.study.comparison.compare` trains configurations and scores them with their references;
- :func:`~xdrought.study.comparison.paired_differences` says which differences hold, with intervals;
- :func:`~xdrought.study.placebo.causality_controls` gives the placebos of the causality input.
"""

from __future__ import annotations

from xdrought.study.comparison import LADDER, compare, paired_differences
from xdrought.study.placebo import causality_controls, placebo

__all__ = ["LADDER", "causality_controls", "compare", "paired_differences", "placebo"]
