"""The documentation: is every public name on the API page and told in full, and does what is shown run?"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import xarray as xr

import xdrought
import xdrought.data
from tests.support.own_files import write_all

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PUBLIC = [
    "xdrought",
    "xdrought.attribution",
    "xdrought.bulletin",
    "xdrought.causality",
    "xdrought.data",
    "xdrought.data.collocate",
    "xdrought.data.era5",
    "xdrought.simulation",
    "xdrought.events",
    "xdrought.forecast",
    "xdrought.models",
    "xdrought.plot",
    "xdrought.scaling",
    "xdrought.splits",
    "xdrought.study",
    "xdrought.verification",
]


def test_files_that_pages_name_are_there():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    pages = [page for page in pages if "_build" not in page.parts]
    named = re.compile(r"\b(?:tests|ci|docs|examples|xdrought)/[\w/]+\.(?:py|md|sh|json)\b")
    missing = {
        (str(page.relative_to(ROOT)), name)
        for page in pages
        for name in named.findall(page.read_text())
        if not (ROOT / name).exists()
    }
    assert not missing


def resolve(name: str) -> Any:
    """The object of a dotted name; `xdrought.patches` is the function, as for a user."""
    found: Any = xdrought
    path = ["xdrought"]
    for part in name.split(".")[1:]:
        path.append(part)
        if not hasattr(found, part):
            importlib.import_module(".".join(path))
        found = getattr(found, part)
    return found


def names_on(page: str) -> list[str]:
    """Full names that an API page lists, in tables and as data."""
    tables = re.findall(r"^   ([A-Za-z_][\w.]*)$", page, re.MULTILINE)
    data = re.findall(r"^\.\. py:data:: ([\w.]+)$", page, re.MULTILINE)
    return [f"xdrought.{name}" for name in tables + data]


def sections(doc: str) -> dict[str, str]:
    """Text of each section of a numpydoc docstring by its title; the summary under ''."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", inspect.cleandoc(doc), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def names_told(section: str) -> set[str]:
    """Names that a Parameters or Attributes section explains."""
    heads = [line.split(" : ")[0] for line in section.splitlines() if line and not line[0].isspace()]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def parameters_told(doc: str) -> set[str]:
    """Names that a docstring explains, or leaves to the function of which it says so in its first lines."""
    told = sections(doc)
    names = names_told(told.get("Parameters", "")) | names_told(told.get("Attributes", ""))
    elsewhere = re.search(r"(?:see|Parameters and errors are those of) :\w+:`([\w.]+)`", told[""])
    return names | (parameters_told(resolve(elsewhere[1]).__doc__) if elsewhere else set())


def shortcomings(function: Callable) -> list[str]:
    """What the docstring of a function does not tell."""
    told, signature = sections(function.__doc__ or ""), inspect.signature(function)
    lacking = sorted(set(signature.parameters) - parameters_told(function.__doc__ or ""))
    found = [f"parameter {name}" for name in lacking]
    gives = signature.return_annotation not in (None, "None")
    found += [title for title in ["Returns"] * gives + ["Examples"] if title not in told]
    return found


def public_names() -> Iterator[tuple[str, Any]]:
    for module in PUBLIC:
        here = importlib.import_module(module)
        yield from ((f"{module}.{name}", getattr(here, name)) for name in here.__all__)


API = names_on((ROOT / "docs" / "api.rst").read_text())
FUNCTIONS = [name for name in API if inspect.isfunction(resolve(name))]
CLASSES = [name for name in API if inspect.isclass(resolve(name))]


def test_every_public_name_is_on_the_api_page():
    listed = [resolve(name) for name in API]
    missing = [name for name, thing in public_names() if not any(thing is other for other in listed)]
    assert not missing, f"add {missing} to docs/api.rst"


def test_the_api_page_lists_nothing_twice():
    assert sorted(API) == sorted(set(API))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_tells_its_parameters_its_result_and_an_example(name: str):
    assert not shortcomings(resolve(name))


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_tells_its_fields(name: str):
    cls = resolve(name)
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    assert sections(cls.__doc__ or "")[""]
    assert fields <= parameters_told(cls.__doc__ or "")


def test_shortcomings_are_found():
    def silent(data, *, time="time", **others):
        """One line."""

    def half(data, *, time="time") -> None:
        """One line.

        Parameters
        ----------
        data : array
            Values.

        Examples
        --------
        >>> 1
        """

    assert shortcomings(silent) == ["parameter data", "parameter others", "parameter time", "Returns", "Examples"]
    assert shortcomings(half) == ["parameter time"]


def test_names_are_read_from_a_page():
    page = (
        ".. autosummary::\n   :toctree: x\n\n   ccm\n   data.open_dataset\n\n.. py:data:: DEFINITIONS\n\n   A dict.\n"
    )
    assert names_on(page) == ["xdrought.ccm", "xdrought.data.open_dataset", "xdrought.DEFINITIONS"]


def test_each_accessor_method_is_a_documented_function():
    methods = [name for name in vars(xdrought.XdroughtAccessor) if not name.startswith("_")]
    assert methods
    assert [name for name in methods if f"xdrought.{name}" not in FUNCTIONS] == []
    assert all(getattr(xdrought.XdroughtAccessor, name).__doc__ for name in methods)


def test_the_readme_example_runs_in_at_most_twelve_lines_and_leaves_its_picture(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "2011-08-30" in printed  # the start of the severest event
    assert "persistence" in printed
    assert "climatology" in printed
    assert (tmp_path / "droughts.png").stat().st_size > 10_000


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_files_that_a_page_names_are_there(page: str):
    text = (ROOT / page).read_text()
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    scripts = re.findall(r"\b((?:ci|docs/studies|tests/campaigns|examples)/[\w.]+)", text)
    missing = [name for name in {*pictures, *scripts} if not (ROOT / name).exists()]
    assert scripts
    assert not missing


TUTORIAL = sorted((ROOT / "docs" / "tutorial").glob("*.py"))
EXAMPLES = [path for path in sorted((ROOT / "examples").rglob("*.py")) if path.stem != "demo"]  # that is `bash ci/demo`


@pytest.mark.parametrize("path", EXAMPLES + TUTORIAL, ids=lambda path: path.stem)
def test_an_example_is_one_capability_told_in_blocks(path: Path):
    """It is run when the gallery is built, but for the one that takes minutes; here, what a reader meets first."""
    source = path.read_text()
    title, line, *rest = (inspect.cleandoc(source.split('"""')[1])).splitlines()
    assert path.name.startswith("plot_") or path.name == "reproduce_paper.py" or path in TUTORIAL
    assert set(line) == {"="}
    assert len(line) >= len(title)
    assert 1 <= " ".join(rest).count(". ") + 1 <= 4  # sentences
    assert source.count("\n# %%\n") >= 3


@pytest.mark.parametrize(
    ("file", "table"), [("definition_effects", "effects_table"), ("definitions_compared", "definitions_table")]
)
def test_the_measured_tables_are_what_the_library_finds_today(file: str, table: str, data_dir: Path):
    script = runpy.run_path(str(ROOT / "docs" / "studies" / "definition_effects.py"))
    towers = script["read_towers"]()
    found = script[table](towers) + script["said_of"](towers)
    assert found == (ROOT / "docs" / "_include" / f"{file}.md").read_text(), "run docs/studies/definition_effects.py"


def test_the_twin_is_as_like_the_real_towers_as_the_page_says(data_dir: Path):
    script = runpy.run_path(str(ROOT / "docs" / "studies" / "twin_realism.py"))
    real = script["real_sites"](data_dir / "fluxnet2015")
    twin = script["simulated_sites"](24, round(365.25 * 10), 0)
    found = script["as_markdown"](script["compare"](real, twin), len(real), len(twin))
    assert found == (ROOT / "docs" / "_include" / "twin_realism.md").read_text(), "run docs/studies/twin_realism.py"


def test_the_readme_gives_the_score_of_persistence(data_dir: Path):
    observed = runpy.run_path(str(ROOT / "docs" / "studies" / "definition_effects.py"))["read_towers"]().soil_moisture
    held = []
    for site in observed.site.values:
        one = observed.sel(site=site)
        days = one.dropna("time").time
        last = days[0] + 0.85 * (days[-1] - days[0])
        held.append(one.shift(time=7).where(one.time > last))
    nse = xdrought.verify(
        xr.concat(held, "site", coords="different", compat="equals"), observed, lead=7, n_boot=10
    ).nse_summary.sel(model="persistence")
    said = re.search(
        r"pooled NSE of (0\.\d\d) at (\d+) FLUXNET2015 towers.*?(0\.\d\d) at the median", README, re.DOTALL
    )
    pooled, median = (f"{float(nse.sel(summary=name)):.2f}" for name in ("pooled", "median"))
    assert said.groups() == (pooled, str(observed.sizes["site"]), median)


def test_the_page_on_frozen_soil_gives_the_numbers_of_the_event(data_dir: Path):
    meadow = xdrought.data.open_dataset("fluxnet", sites=["AT-Neu"])
    events = meadow.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
    table = events.to_dataframe()
    event = table[table.start_time == pd.Timestamp("2007-12-18")].iloc[0]
    frozen = round(event.frozen_fraction * event.duration)
    said = [
        f"{event.onset_time:%Y-%m-%d}, at percentile {event.onset_percentile:.1f}",
        f"{event.start_time:%Y-%m-%d}, at percentile {event.start_percentile:.1f}",
        f"{event.end_time:%Y-%m-%d}, after {event.duration} days",
        f"{event.intensification_rate:.2f} percentile per day",
        f"{frozen} of {event.duration} below 0 °C (`frozen_fraction` {event.frozen_fraction:.2f})",
        f"AT-Neu has {events.sizes['event']} events, {int(events.is_flash.sum())} of them flash",
    ]
    page = (ROOT / "docs" / "guide" / "frozen_soil.md").read_text()
    assert [text for text in said if text not in page] == []


def test_the_code_for_those_who_come_from_other_tools_runs():
    page = (ROOT / "docs" / "guide" / "coming_from.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/guide/coming_from.md", "exec"), names)
    assert len(names["batches"]) > 0
    assert names["events"].sizes["event"] >= 0
    assert set(names["forecast"].data_vars) == {"soil_moisture"}


def test_the_page_on_own_data_runs_on_files_of_that_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "guide" / "own_data.md").read_text()
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "docs/guide/own_data.md", "exec"), names)
    tables = [name for name in names if name.endswith("events")]
    assert len(tables) == 6
    assert {name: names[name].sizes["event"] > 0 for name in tables} == dict.fromkeys(tables, True)
    assert names["place_events"].start_time.dtype.kind == "M"
    assert set(names["place_events"].location.values) <= {"North", "Mid", "South"}
    assert names["classes"].chunks is not None
    with xr.open_dataset("classes.nc", engine="h5netcdf") as ds:
        assert ds.attrs["Conventions"].startswith("CF-")
    assert (tmp_path / "flash_droughts.png").stat().st_size > 10_000


def test_the_page_of_the_monitor_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = (ROOT / "docs" / "guide" / "near_real_time.md").read_text()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "docs/guide/near_real_time.md", "exec"), names)
    record = names["soil_moisture"].sel(time=slice(None, "2011-08-04"))
    found, batch = names["monitor"].events(), xdrought.flash_drought_events(record, reference=("2009-07", "2010"))
    assert found[list(batch.data_vars)].equals(batch)
    changed = names["monitor"].changes_since("2011-08-01")
    assert 0 < changed.sizes["event"] < found.sizes["event"]
    saved = names["load_monitor"]("tower.monitor")
    assert saved.events().equals(found)


def test_the_recipes_for_additions_work():
    from xdrought.models.zoo import VARIANTS

    page = (ROOT / "docs" / "guide" / "how_to_add.md").read_text()
    names: dict[str, Any] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
            exec(compile(block, "docs/guide/how_to_add.md", "exec"), names)
        assert names["network"](torch.zeros(5, 15, 3, 1, 1)).shape == (5,)
    finally:
        VARIANTS.pop("MeanOfWindow", None)
    assert names["events"].attrs["definition"] == "mine"
    assert names["events"].sizes["event"] > 0
    assert set(names["causality"]["variable"].values) == {"TA_F", "P_F"}
    assert float(names["causality"]["rho"].sel(variable="P_F").max()) > 0  # rain wets the soil
