"""The report of the paper in one command: what is kept, what is written, and that a small one holds what it should."""

from __future__ import annotations

import dataclasses
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought.reproduction import __main__ as command
from xdrought.reproduction import published, reproduce, run
from xdrought.reproduction.chapters import CHAPTERS
from xdrought.reproduction.chapters.forecasts import class_scores
from xdrought.reproduction.chapters.networks import networks
from xdrought.reproduction.findings import (
    CONTRADICTED,
    NOT_COMPARABLE,
    NOT_EXAMINED,
    RULE,
    SUPPORTED,
    UNDECIDED,
    Chapter,
    Claim,
    Setting,
    judge,
    median_interval,
)
from xdrought.reproduction.fits import linear, polynomial
from xdrought.reproduction.modes import choices, settings_of
from xdrought.reproduction.page import contents, findings_table, write_page
from xdrought.reproduction.results import QUICK, Results, SiteData, open_source
from xdrought.simulation import simulate
from xdrought.study.result_cache import ResultCache
from xdrought.verification import class_scores as reference_scores

SMALLEST = dataclasses.replace(
    QUICK,
    epochs=1,
    batch_size=512,
    widths=(4, 4),
    unet_widths=(2, 2),
    surrogates=19,
    n_background=4,
    n_draws=4,
    n_boot=50,
    leads=(1, 7),
    window=8,
    windows=(5, 8),
    batch_sizes=(256,),
    learning_rates=(),
    folds=3,
)


@pytest.mark.parametrize("model", published.MODELS)
def test_the_published_table_is_copied_right_for_its_identities_hold(model):
    table, share = published.table_1().loc[model], pd.Series(published.SHARE)
    accuracy = (table.loc["recall"] * share).sum()
    assert accuracy == pytest.approx(published.ACCURACY[model], abs=0.012)  # two digits in the paper
    assert (table.loc["recall"] * share / table.loc["precision"]).sum() == pytest.approx(1, abs=0.03)
    f1 = 2 * table.loc["precision"] * table.loc["recall"] / (table.loc["precision"] + table.loc["recall"])
    np.testing.assert_allclose(table.loc["f1"], f1, atol=0.013)


ELSEWHERE = Setting(("simulated",), simulated=True)
SMALLER = Setting(("6 of 50 epochs",))
SAME = Setting()


@pytest.mark.parametrize(
    ("interval", "claim", "setting", "verdict"),
    [
        ((0.1, 0.2), Claim(), SAME, SUPPORTED),
        ((0.1, 0.2), Claim(), SMALLER, SUPPORTED),
        ((-0.2, -0.1), Claim(), SAME, CONTRADICTED),
        ((-0.2, -0.1), Claim(), SMALLER, NOT_COMPARABLE),
        ((-0.1, 0.2), Claim(), SAME, UNDECIDED),
        ((np.nan, np.nan), Claim(value=0.3), SAME, UNDECIDED),
        ((-0.2, -0.1), Claim(above=False), SAME, SUPPORTED),
        ((1.1, 1.4), Claim(nothing=1.0, value=1.2), SAME, SUPPORTED),
        ((1.3, 1.4), Claim(nothing=1.0, value=1.2), SAME, CONTRADICTED),  # the side is right, the value is not
        ((1.3, 1.4), Claim(nothing=1.0, value=1.2), SMALLER, SUPPORTED),  # a value counts on comparable data only
        ((0.8, 0.9), Claim.of_value(0.84), SAME, SUPPORTED),
        ((0.8, 0.83), Claim.of_value(0.84), SAME, CONTRADICTED),
        ((0.8, 0.9), Claim.of_value(0.84), SMALLER, NOT_COMPARABLE),
        ((0.1, 0.2), Claim(of_nature=True), ELSEWHERE, NOT_COMPARABLE),
        ((0.1, 0.2), Claim(), ELSEWHERE, SUPPORTED),  # of networks a simulated world may tell
        ((-0.2, -0.1), None, SAME, NOT_EXAMINED),
    ],
)
def test_verdicts_follow_the_one_rule(interval, claim, setting, verdict):
    assert judge(interval, claim, setting) == verdict


def test_what_is_other_than_in_the_paper_is_named_for_what_a_finding_rests_on():
    towers = SiteData("towers", xr.Dataset(coords={"site": range(12)}), ("TA_F",), pd.DataFrame())
    results = Results(towers, QUICK, ResultCache(None))
    assert results.setting().departures == ("12 of 156 sites",)
    assert "no maps" in results.setting("maps").departures
    training = results.setting("training").departures
    assert {"6 of 50 epochs", "2 of 10 runs", "widths 8, 16", "consecutive batches"} <= set(training)
    assert "CauRec alone" in results.setting("experiment").departures


def test_modes_make_the_choices_of_their_table():
    paper, released = settings_of("paper", SMALLEST), settings_of("released", SMALLEST)
    assert (paper.equations, released.equations) == (("paper",), ("released",))
    assert paper.embargo == released.embargo == 0
    assert not paper.training.scale_target
    assert not released.training.scale_target
    assert (paper.training.keep, released.training.keep) == ("best", "last")
    assert released.training.scaling_period == ("1991-01-01", "1991-12-31")
    assert paper.epochs == SMALLEST.epochs
    assert settings_of("default", SMALLEST) == SMALLEST
    table = choices()
    for name in ("equations", "directions", "scale_target", "keep", "scaling_period", "initial_hidden", "embargo"):
        word = "causality_degree(..., direction" if name == "directions" else f"{name}="
        assert table["chosen by"].str.contains(word, regex=False).sum() == 1
    assert (table["chosen by"].str.len() > 0).all()
    with pytest.raises(ValueError, match="mode='theirs' is unknown"):
        settings_of("theirs")


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_a_network_of_a_mode_is_made_as_it_says(mode):
    ds = simulate(n_sites=2, n_days=500, size=2, seed=1)
    source = SiteData("twin", ds, tuple(ds.data_vars)[:3], pd.DataFrame(), is_simulated=True)
    settings = run._with_a_period_that_is_there(settings_of(mode, SMALLEST), source)
    made = Results(source, settings, ResultCache(None)).forecaster("CauRec")
    both = 2 if mode == "paper" else 1
    assert made.architecture.n_causal == 2 * both * 3 * 4
    assert made.splits.embargo == 0
    assert made.architecture.equations == mode
    assert float(made.scaling.std.sel(variable="soil_moisture")) == 1
    if mode == "released":
        first = source.ds[source.drivers[0]].isel(time=slice(365))
        assert float(made.scaling.mean[0]) == pytest.approx(float(first.mean()), rel=1e-4)


def test_silence_about_something_of_the_paper_is_an_error():
    chapter = Chapter("Flash droughts")
    chapter.say("", of=["Figure 2"])
    chapter.lack("Figure S3", why="no drought is cut")
    shown = {name: published.SHOWN[name] for name in ("Figure 2", "Figure S3", "Figure 7a")}
    with pytest.raises(RuntimeError, match=r"silent about \['Figure 7a'\]"):
        contents([chapter], {}, shown=shown)
    table = contents([chapter], {"acceleration": "only 3 droughts"}, shown=shown).set_index("in the paper").here
    assert table["Figure 2"] == "Flash droughts"
    assert table["Figure S3"] == "not here: no drought is cut"
    assert table["Figure 7a"] == "not here: only 3 droughts"
    with pytest.raises(KeyError, match="the paper shows no 'Figure 9'"):
        chapter.lack("Figure 9", why="there is none")


def test_the_list_of_what_the_paper_shows_is_whole():
    names = list(published.SHOWN)
    letters = {1: "abcd", 2: [""], 3: "abcdef", 4: "abcd", 5: "abcdef", 6: "ab", 7: "abcd"}
    supplement = {5: "abcde"}
    wanted = [f"Figure {number}{letter}" for number, panels in letters.items() for letter in panels]
    wanted += [f"Figure S{number}{letter}" for number in range(1, 14) for letter in supplement.get(number, [""])]
    wanted += ["Table 1", *(f"Table S{number}" for number in range(1, 7)), "Text S1"]
    assert set(wanted) == {name for name in names if not name.startswith("Number ")}
    chapters = {write.__name__.replace("_", " ") for write in CHAPTERS}
    assert {item.chapter for item in published.SHOWN.values()} == chapters


def test_class_scores_of_counts_are_those_of_days():
    rng = np.random.default_rng(0)
    days = {name: xr.DataArray(rng.integers(5, size=300), dims="time") for name in ("seen", "said")}
    number = {name: k for k, name in enumerate(published.CLASSES)}
    counts = np.array([[((days["seen"] == i) & (days["said"] == j)).sum() for j in range(5)] for i in range(5)])
    labels = {"observed_class": list(published.CLASSES), "forecast_class": list(published.CLASSES)}
    ours = class_scores(xr.DataArray(counts, labels, ("observed_class", "forecast_class")).astype(float))
    theirs = reference_scores(days["said"], days["seen"], classes=number)
    for name in ("precision", "recall", "f1", "share"):
        np.testing.assert_allclose(ours[name], theirs[name].sel(class_name=list(published.CLASSES)))
    assert float(ours.accuracy) == pytest.approx(float(theirs.accuracy))
    assert float(ours.majority) == pytest.approx(float(theirs.majority_accuracy))


def test_fits_are_those_of_numpy_and_their_bands_hold_them():
    rng = np.random.default_rng(1)
    x, place = rng.random(90) * 4, np.repeat(np.arange(15), 6)
    y = x**3 - 4 * x + rng.standard_normal(90)
    curve = polynomial(x, y, place, n_boot=200)
    np.testing.assert_allclose(curve.y, np.polyval(np.polyfit(x, y, 4), curve.x), atol=1e-8)
    assert ((curve.lower < curve.y) & (curve.y < curve.upper)).mean() > 0.95
    line = linear(x, y, place, n_boot=200)
    assert line.r == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert line.slope == pytest.approx(np.polyfit(x, y, 1)[0])
    assert line.lower < line.r < line.upper


def test_the_median_has_an_interval_over_places():
    middle, low, high = median_interval(np.arange(101.0))
    assert middle == 50
    assert 35 < low < 50 < high < 65
    assert np.isnan(median_interval([np.nan])).all()
    assert median_interval([3.0])[0] == 3


def test_the_page_escapes_what_it_is_given_and_holds_every_item():
    import matplotlib.pyplot as plt

    chapter = Chapter("A & B")
    chapter.say_html("plain <em>words</em>")
    chapter.say("drivers <script>alert(1)</script>")
    chapter.tabulate(
        pd.DataFrame({"<x>": [0.5, np.nan]}, index=pd.Index(["a<b", "c"], name="n")), "cap<tion", coloured=True
    )
    chapter.show(plt.subplots()[1], 'a "picture"')
    chapter.find("4.1", "1 < 2", "yes", "yes", interval=(1, 2), claim=Claim(), setting=Setting(("no <maps>",)))
    of_paper = pd.DataFrame({"in the paper": ["Figure 2"], "what": ["a < b"], "here": ["A & B"]})
    page = write_page("T<", "<p>s</p>", [chapter], {"maps": "no <grid>"}, of_paper, {"k": "<v>"})
    assert "<script>" not in page
    for text in (
        "a&lt;b",
        "cap&lt;tion",
        "&lt;x&gt;",
        "1 &lt; 2",
        "no &lt;grid&gt;",
        "&lt;v&gt;",
        "no &lt;maps&gt;",
        "<em>words</em>",
    ):
        assert text in page
    assert page.count("data:image/png;base64,") == 1
    assert "hsl(60 " in page  # 0.5 is yellow
    assert "–" in page  # NaN
    assert findings_table([chapter]).verdict.tolist() == [SUPPORTED]


def test_sources_refuse_what_they_cannot_use(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no"):
        open_source(tmp_path / "nothing")
    xr.Dataset({"a": ("x", [1])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="needs 'soil_moisture'"):
        open_source(tmp_path / "other.nc")


def test_a_file_of_sites_with_maps_is_a_source(tmp_path):
    ds = simulate(n_sites=2, n_days=500, size=2, seed=1)
    ds.to_netcdf(tmp_path / "sites.nc", engine="h5netcdf")
    source = open_source(tmp_path / "sites.nc")
    assert source.size == 2
    assert source.drivers[:3] == ("d2m", "t2m", "mx2t")
    assert not source.lacking


def test_one_site_is_refused(tmp_path):
    simulate(n_sites=1, n_days=500, size=2, seed=1).to_netcdf(tmp_path / "one.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="keeps 1 site"):
        reproduce(tmp_path / "one.nc", tmp_path / "out", quick=True)


def test_the_command_explains_itself(capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main(["--out", str(tmp_path)])
    assert "give --data, or --quick" in capsys.readouterr().err
    assert command.main(["--data", str(tmp_path / "no"), "--out", str(tmp_path)]) == 1
    assert "there is no" in capsys.readouterr().err


TITLES = [
    "Data",
    "Flash droughts",
    "Causality",
    "Networks",
    "Leakage",
    "Classes of days (Table 1)",
    "Forecasts",
    "Other leads, windows, thresholds",
    "Causality degree and skill",
    "Drivers of drought onsets",
    "Faster and more complex droughts",
    "Placebos and held-out sites",
]


def kept_files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def quick_report(tmp_path_factory):
    """A report of six simulated sites, stopped once after the networks: the source, its folder, what was kept then."""
    folder = tmp_path_factory.mktemp("report")
    data = folder / "sites.nc"
    simulate(n_sites=6, n_days=1200, size=2, seed=3).to_netcdf(data, engine="h5netcdf")

    def stop(results):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "CHAPTERS", (networks, stop))
        with pytest.raises(KeyboardInterrupt):
            reproduce(data, folder, settings=SMALLEST)
    assert not (folder / "report.html").exists()
    stopped = kept_files(folder)
    reproduce(data, folder, settings=SMALLEST)
    return data, folder, stopped


def test_a_stopped_report_goes_on_where_it_was(quick_report):
    _, folder, stopped = quick_report
    assert len(list((folder / "cache").glob("network_*.xdrought"))) == 9  # five networks, four of them in two modes
    assert {path: kept_files(folder)[path] for path in stopped} == stopped
    assert list((folder / "cache").glob("placebo/*.nc"))


def test_the_report_holds_everything_and_says_what_it_is(quick_report):
    _, folder, _ = quick_report
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert [title for title in TITLES if f">{escape(title)}</h2>" not in page] == []
    assert "Simulated data" in page
    assert "Left out:" not in page
    assert page.count("data:image/png;base64,") >= 30
    assert escape(RULE) in page
    table = pd.read_csv(folder / "contents.csv")
    assert len(table) == len(published.SHOWN)
    missing = table[table.here.str.startswith("not here")]["in the paper"].tolist()
    assert missing == ["Figure S2", "Figure S5a"]


def test_findings_of_a_simulated_world_contradict_nothing_and_name_what_is_small(quick_report):
    _, folder, _ = quick_report
    found = pd.read_csv(folder / "findings.csv", keep_default_na=False)
    assert set(found["where"]) >= {"3.1", "4.1", "Table 1", "absent", "4.3, Fig. 5", "4.5, Fig. 7a", "4.1, Fig. S5e"}
    assert CONTRADICTED not in set(found.verdict)
    assert set(found[found["where"] == "absent"].verdict) == {NOT_EXAMINED}
    others = found[found["where"] != "3.5"]  # the published sizes are built as they are
    assert others.departures.str.contains("simulated; 6 of 156 sites").all()
    headline = found[found.statement.str.startswith("pooled NSE")]
    assert headline.paper.tolist() == ["0.84", "0.72", "0.90", "0.95"]
    assert headline.departures.str.contains("1 of 50 epochs; 2 of 10 runs").all()


def test_what_is_kept_gives_the_same_findings_again(quick_report):
    data, folder, _ = quick_report
    finished = kept_files(folder)
    source = open_source(data)
    results = Results(source, SMALLEST, ResultCache(folder / "cache", run._fingerprint(source)))
    again = findings_table([write(results) for write in (CHAPTERS[3], CHAPTERS[5])]).astype(str)
    first = pd.read_csv(folder / "findings.csv", keep_default_na=False, dtype=str)
    merged = again.merge(first, how="left", indicator=True)
    assert (merged["_merge"] == "both").all()
    assert kept_files(folder) == finished
