"""What turns the inputs of a day into log odds: boosted trees or logistic regression, fitted by scikit-learn.

A fitted classifier is a value of plain arrays. scikit-learn is needed to fit one, not to use it, and no object of
scikit-learn is ever stored. The third model is the network of :mod:`xdrought.forecast.onset.hazard`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from xdrought.choices import OnsetClassifier
from xdrought.forecast.onset.hazard import Hazard, HazardNetwork
from xdrought.forecast.onset.predictors import OnsetTask
from xdrought.forecast.onset.training_days import TrainingDays


class OfRows(ABC):
    """A fitted classifier that looks at the inputs of the day of issue alone."""

    @abstractmethod
    def margins(self, rows: np.ndarray) -> np.ndarray:
        """Log odds, float64 (n,), of rows (n, inputs)."""

    def margins_of(self, days: TrainingDays, chosen: np.ndarray) -> np.ndarray:
        """Log odds (n,) of the days chosen."""
        return self.margins(days.rows(chosen))


class FitsRows(ABC):
    """Settings of a classifier that looks at the inputs of the day of issue alone."""

    window: ClassVar[int] = 1
    by_lead_day: ClassVar[bool] = False

    @abstractmethod
    def fit(self, rows: np.ndarray, begins: np.ndarray, val: tuple[np.ndarray, np.ndarray], seed: int) -> Any:
        """The classifier of training rows (n, inputs) with what followed (n,), and of validation rows."""

    def learnable(self, days: TrainingDays, part: str) -> np.ndarray:
        """bool (places, time): days of a part whose label is told."""
        return days.parts[part]

    def outcomes(self, days: TrainingDays, chosen: np.ndarray) -> np.ndarray:
        """Whether an onset followed, (n,)."""
        return days.begins[chosen]

    def fit_days(
        self, days: TrainingDays, learned: np.ndarray, validated: np.ndarray, task: OnsetTask, seed: int
    ) -> Any:
        """The classifier of the days `learned`, which those `validated` serve to choose."""
        val = days.rows(validated), days.begins[validated]
        return self.fit(days.rows(learned), days.begins[learned], val, seed)


@dataclass(frozen=True, eq=False)
class TreeEnsemble(OfRows):
    """Boosted decision trees; see :func:`xdrought.kernels.boosted_trees.tree_values` for the arrays."""

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    baseline: float

    def _nodes(self) -> tuple[np.ndarray, ...]:
        return self.roots, self.feature, self.threshold, self.missing_left, self.left, self.right, self.value

    def margins(self, rows: np.ndarray) -> np.ndarray:
        from xdrought.kernels.boosted_trees import tree_margins

        return tree_margins(np.ascontiguousarray(rows, np.float32), *(*self._nodes(), self.baseline))

    def values_by_tree(self, rows: np.ndarray) -> np.ndarray:
        """What each tree adds, (trees, n)."""
        from xdrought.kernels.boosted_trees import tree_values

        return tree_values(np.ascontiguousarray(rows, np.float32), *self._nodes())

    def first(self, n_trees: int) -> TreeEnsemble:
        """The same without the trees after the first `n_trees`."""
        end = self.roots[n_trees] if n_trees < self.roots.size else self.left.size
        nodes = {f.name: getattr(self, f.name)[:end] for f in fields(self) if f.name not in ("roots", "baseline")}
        return TreeEnsemble(roots=self.roots[:n_trees], baseline=self.baseline, **nodes)

    def to_dataset(self) -> xr.Dataset:
        nodes = {name: ("node", values) for name, values in self._named() if name != "roots"}
        return xr.Dataset({"roots": ("tree", self.roots), **nodes, "baseline": self.baseline})

    def _named(self) -> list[tuple[str, Any]]:
        return [(f.name, getattr(self, f.name)) for f in fields(self) if f.name != "baseline"]

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> TreeEnsemble:
        arrays = {f.name: ds[f.name].to_numpy() for f in fields(cls) if f.name != "baseline"}
        arrays["missing_left"] = arrays["missing_left"].astype(bool)
        return cls(**arrays, baseline=float(ds["baseline"]))

    def check(self, n_inputs: int) -> None:
        """Raise when a node points outside the trees or the inputs."""
        n = self.left.size
        inner = self.left >= 0
        behind = np.arange(n)[inner]
        pointers = (self.left[inner] > behind).all() and (self.right[inner] > behind).all()
        inside = self.left.max(initial=-1) < n and self.right[inner].max(initial=-1) < n
        known = ((self.feature[inner] >= 0) & (self.feature[inner] < n_inputs)).all()
        if not (pointers and inside and known and (self.roots >= 0).all() and (self.roots < n).all()):
            raise ValueError("the trees point to nodes or inputs that are not there")


@dataclass(frozen=True, eq=False)
class LinearClassifier(OfRows):
    """Logistic regression on standardised inputs; a missing input counts as its training mean."""

    mean: np.ndarray
    std: np.ndarray
    coefficients: np.ndarray
    intercept: float

    def margins(self, rows: np.ndarray) -> np.ndarray:
        scaled = (rows.astype(np.float64) - self.mean) / self.std
        # Column by column, so that a row does not depend on how many rows come with it.
        out = np.full(len(rows), self.intercept)
        for column, coefficient in enumerate(self.coefficients):
            out += coefficient * np.where(np.isfinite(scaled[:, column]), scaled[:, column], 0.0)
        return out

    def to_dataset(self) -> xr.Dataset:
        arrays = {name: ("input", getattr(self, name)) for name in ("mean", "std", "coefficients")}
        return xr.Dataset({**arrays, "intercept": self.intercept})

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> LinearClassifier:
        arrays = {name: ds[name].to_numpy() for name in ("mean", "std", "coefficients")}
        return cls(**arrays, intercept=float(ds["intercept"]))

    def check(self, n_inputs: int) -> None:
        """Raise when the coefficients are not those of the inputs."""
        if {self.mean.size, self.std.size, self.coefficients.size} != {n_inputs}:
            raise ValueError(f"there are {self.coefficients.size} coefficients for {n_inputs} inputs")


@dataclass(frozen=True)
class Boosting(FitsRows):
    """Settings of gradient boosting (scikit-learn's HistGradientBoostingClassifier).

    Parameters
    ----------
    learning_rate : float
        What a tree counts.
    n_trees : int
        Most trees; those after the smallest log loss on the validation part are cut off.
    max_leaves, min_leaf : int
        Most leaves of a tree; fewest training days of a leaf.
    l2 : float
        Penalty of the leaves' squared values.
    """

    learning_rate: float = 0.05
    n_trees: int = 200
    max_leaves: int = 12
    min_leaf: int = 200
    l2: float = 5.0

    def like(self, fitted: TreeEnsemble) -> Boosting:
        """The settings that give as many trees as a fitted classifier has."""
        return replace(self, n_trees=fitted.roots.size)

    def fit(self, rows: np.ndarray, begins: np.ndarray, val: tuple[np.ndarray, np.ndarray], seed: int) -> TreeEnsemble:
        """Trees of the training rows, as many as serve the validation rows best."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        fitted = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.n_trees,
            max_leaf_nodes=self.max_leaves,
            min_samples_leaf=self.min_leaf,
            l2_regularization=self.l2,
            early_stopping=False,
            random_state=seed,
        ).fit(rows, begins)
        trees = trees_of_sklearn(fitted)
        if not val[1].size:
            return trees
        margins = trees.baseline + np.cumsum(trees.values_by_tree(val[0]), axis=0)
        return trees.first(1 + int(np.argmin(log_loss(margins, val[1]))))


@dataclass(frozen=True)
class Logistic(FitsRows):
    """Settings of logistic regression.

    Parameters
    ----------
    c : float
        Inverse of the penalty of the squared coefficients of the standardised inputs.
    """

    c: float = 1.0

    def like(self, fitted: LinearClassifier) -> Logistic:
        """These settings; nothing of them was chosen on the validation part."""
        return self

    def fit(
        self, rows: np.ndarray, begins: np.ndarray, val: tuple[np.ndarray, np.ndarray], seed: int
    ) -> LinearClassifier:
        """Coefficients of the training rows; `val` and `seed` are not needed."""
        from sklearn.linear_model import LogisticRegression

        rows = rows.astype(np.float64)
        there = np.isfinite(rows)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, rows, 0.0).sum(axis=0) / count
        std = np.sqrt((np.where(there, rows - mean, 0.0) ** 2).sum(axis=0) / count)
        std = np.where(std > 0, std, 1.0)
        scaled = np.where(there, (rows - mean) / std, 0.0)
        fitted = LogisticRegression(C=self.c, max_iter=2000).fit(scaled, begins)
        return LinearClassifier(mean, std, fitted.coef_[0].copy(), float(fitted.intercept_[0]))


Classifier = Boosting | Logistic | Hazard
Fitted = TreeEnsemble | LinearClassifier | HazardNetwork
MODELS: dict[OnsetClassifier, type[Classifier]] = {"boosting": Boosting, "logistic": Logistic, "hazard": Hazard}
FITTED: dict[str, type[Fitted]] = {"boosting": TreeEnsemble, "logistic": LinearClassifier, "hazard": HazardNetwork}


def settings_of(model: OnsetClassifier | Classifier) -> tuple[OnsetClassifier, Classifier]:
    """Name and settings of a model given by either."""
    if isinstance(model, str) and model in MODELS:
        return model, MODELS[model]()
    for name, kind in MODELS.items():
        if isinstance(model, kind):
            return name, model
    raise ValueError(
        f"model={model!r} is unknown; give one of {sorted(MODELS)}, or Boosting(...), Logistic(...) or Hazard(...)"
    )


def log_loss(margins: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Mean logarithmic loss over the last axis of log odds."""
    return (np.logaddexp(0.0, margins) - begins * margins).mean(axis=-1)


def trees_of_sklearn(fitted: Any) -> TreeEnsemble:
    """The trees of a fitted HistGradientBoostingClassifier as arrays; a test holds them against its own predictions."""
    trees = [one[0].nodes for one in fitted._predictors]
    sizes = np.array([nodes.size for nodes in trees])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    nodes = np.concatenate(trees)
    offset = np.repeat(roots, sizes)
    is_leaf = nodes["is_leaf"].astype(bool)
    return TreeEnsemble(
        roots=roots,
        feature=np.where(is_leaf, -1, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64) + offset),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int64) + offset),
        value=nodes["value"].astype(np.float64),
        baseline=float(np.ravel(fitted._baseline_prediction)[0]),
    )
