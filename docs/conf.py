"""Settings of the documentation; `bash ci/docs` builds it. Nothing is fetched, so it builds offline."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import xdrought

sys.path.insert(0, str(Path(__file__).parent))  # gallery_style, search_words

project = "xdrought"
author = "The xdrought developers"
copyright = "2026, the xdrought developers"  # noqa: A001
release = version = xdrought.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_include", "tutorial", "**.ipynb_checkpoints"]  # tutorial is executed into learn
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_filename_map = {"xdrought.Patches": "xdrought.Patches-class"}  # beside xdrought.patches on any file system
autodoc_typehints = "none"  # the docstrings say the types
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

nitpicky = True
# Names of other projects are not looked up, because that needs the network.
nitpick_ignore_regex = [(r"py:.*", r"(numpy|pandas|xarray|dask|torch|matplotlib|cartopy|xbatcher|scipy|shap)\..*")]

sphinx_gallery_conf = {
    "examples_dirs": ["tutorial", "../examples"],
    "gallery_dirs": ["learn", "gallery"],
    "filename_pattern": r"plot_|[/\\]tutorial[/\\]",
    "ignore_pattern": r"demo\.py",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("xdrought",),
    "reset_modules": ("matplotlib", "gallery_style.paper_figures"),
    "image_srcset": ["2x"],
    "ignore_repr_types": r"matplotlib|tuple",
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "subsection_order": [f"../examples/{group}" for group in ("events", "maps", "causes", "forecasts", "desk")],
    "within_subsection_order": "gallery_style.ReadingOrder",
    "plot_gallery": "True",
    "download_all_examples": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "xdrought"
html_static_path = ["_static"]
html_css_files = ["xdrought.css"]
html_show_sourcelink = False
html_sidebars = {"install": [], "changelog": []}
html_theme_options = {
    "logo": {"text": "xdrought"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": {"**": ["page-toc"], "definitions": []},
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}

warnings.filterwarnings("ignore", message=".*IProgress not found.*")


def setup(app: Any) -> None:
    from search_words import add_words

    app.connect("source-read", add_words)
