"""Which variables have left their mark on which: convergent cross mapping and the paper's causality degree.

If X drives Y, the past of Y holds traces of X, so X can be estimated from Y's delay manifold. The direction
"cause_to_effect" is therefore tested by estimating the *cause* from the *effect's* manifold.
"""

from xdrought.causality.cross_mapping import ccm
from xdrought.causality.degree import causality_degree, degree_vector
from xdrought.causality.embedding import choose_embedding
from xdrought.causality.gain import driver_contributions, driver_gain
from xdrought.causality.null_convergence import convergence_null
from xdrought.causality.significance import false_discovery_control
from xdrought.causality.spatial_mapping import gccm

__all__ = [
    "causality_degree",
    "ccm",
    "choose_embedding",
    "convergence_null",
    "degree_vector",
    "driver_contributions",
    "driver_gain",
    "false_discovery_control",
    "gccm",
]
