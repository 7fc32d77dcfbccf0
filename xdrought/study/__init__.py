"""The paper's experiments, made of the other rooms: configurations on the same days, paired over sites and seeds.

- :func:`~xdrought.study.comparison.compare` trains configurations and scores them with their references;
- :func:`~xdrought.study.comparison.paired_differences` says which differences hold, with intervals;
- :func:`~xdrought.study.controls.causality_controls` gives the placebos of the causality input, and
  :func:`~xdrought.study.controls.gain_shares` what share of the gain they reach;
- :func:`~xdrought.study.comparison.ablation` trains all eight networks with or without each piece, and
  :func:`~xdrought.study.comparison.factorial_effects` says what each piece does;
- :func:`~xdrought.study.spatial.spatial_validation` holds out whole sites, with their causality, predicted or none;
- :func:`~xdrought.study.sweeps.sweep` varies one setting, and
  :func:`~xdrought.verification.intervals.sweep_interval` gives its interval;
- :func:`~xdrought.study.degree_skill.skill_by_degree` (Figure 5), :func:`~xdrought.study.trends.onset_trend`,
  :func:`~xdrought.study.trends.frequency_trend`,
  :func:`~xdrought.study.association.event_association` and
  :func:`~xdrought.study.association.site_synchrony` (Figure 7),
  :func:`~xdrought.study.coincidence.onset_coincidence`: what droughts show over sites and years;
"""

from __future__ import annotations

from xdrought.study.association import event_association, onset_error, site_synchrony
from xdrought.study.coincidence import onset_coincidence
from xdrought.study.comparison import FACTORIAL, LADDER, ablation, compare, factorial_effects, paired_differences
from xdrought.study.controls import causality_controls, gain_shares, placebo
from xdrought.study.degree_skill import coupling_strength, skill_by_degree
from xdrought.study.spatial import predicted_degree, spatial_folds, spatial_validation
from xdrought.study.sweeps import sweep
from xdrought.study.trends import frequency_trend, onset_trend
from xdrought.verification.intervals import sweep_interval

__all__ = [
    "FACTORIAL",
    "LADDER",
    "ablation",
    "causality_controls",
    "compare",
    "coupling_strength",
    "event_association",
    "factorial_effects",
    "frequency_trend",
    "gain_shares",
    "onset_coincidence",
    "onset_error",
    "onset_trend",
    "paired_differences",
    "placebo",
    "predicted_degree",
    "site_synchrony",
    "skill_by_degree",
    "spatial_folds",
    "spatial_validation",
    "sweep",
    "sweep_interval",
]
