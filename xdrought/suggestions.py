"""What someone may have meant: names that are close, and what other packages call the same thing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

# name elsewhere -> (ours, in the order of preference; where it is from)
ELSEWHERE: dict[str, tuple[tuple[str, ...], str]] = {
    "E": (("embedding_dim",), "pyEDM"),
    "Tp": (("lag", "lead"), "pyEDM"),
    "libSizes": (("library_size",), "pyEDM"),
    "lib_sizes": (("library_size",), "rEDM"),
    "sample": (("library_samples",), "pyEDM"),
    "exclusionRadius": (("exclusion_radius",), "pyEDM"),
    "columns": (("cause", "drivers"), "pyEDM"),
    "n_surrogates": (("surrogates",), "other packages"),
    "cal_start": (("reference",), "xclim"),
    "cal_end": (("reference",), "xclim"),
    "thresh": (("lower",), "xclim"),
    "min_gap": (("recovery",), "xclim"),
    "win_start": (("min_duration",), "xclim"),
    "seq_length": (("window",), "NeuralHydrology"),
    "forecast_seq_length": (("lead",), "NeuralHydrology"),
    "dynamic_inputs": (("drivers",), "NeuralHydrology"),
    "target_variables": (("target",), "NeuralHydrology"),
    "hidden_size": (("widths",), "NeuralHydrology"),
    "early_stopping": (("training",), "NeuralHydrology"),
    "optimizer": (("training",), "NeuralHydrology"),
    "model": (("variant",), "NeuralHydrology"),
    "lookback": (("window",), "other packages"),
    "horizon": (("lead",), "other packages"),
    "lr": (("learning_rate",), "other packages"),
    "n_epochs": (("epochs",), "other packages"),
    "patience": (("training",), "other packages"),
    "lag": (("lags",), "other packages"),
    "colormap": (("cmap",), "other packages"),
}


def close_to(name: object, known: Iterable[object]) -> str | None:
    """The known name that is written almost like `name`; None when there is none."""
    plain = {_plain(str(one)): str(one) for one in known}
    found = difflib.get_close_matches(_plain(str(name)), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def did_you_mean(name: object, known: Iterable[object], keyword: bool = False) -> str:
    """The end of a message, ``; did you mean ...?``, or nothing when no known name is meant."""
    known = [str(one) for one in known]
    names, where = ELSEWHERE.get(str(name), ((), "")) if keyword else ((), "")
    if meant := next((one for one in names if one in known), None):
        return f"; did you mean {meant}=, called {name} in {where}?"
    if meant := close_to(name, known):
        return f"; did you mean {meant + '=' if keyword else repr(meant)}?"
    return ""


def unexpected_keyword(function: Callable, name: str, known: Iterable[str]) -> str:
    """What to say of a keyword that a function does not take."""
    known = list(known)
    hint = did_you_mean(name, known, keyword=True) or f"; it takes {', '.join(known)}"
    return f"{function.__name__}() got an unexpected keyword argument {name!r}{hint}"
