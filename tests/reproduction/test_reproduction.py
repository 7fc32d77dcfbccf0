"""The report of the paper in one command: what is kept, what is written, and that a small one holds what it should."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought.reproduction import __main__ as command
from xdrought.reproduction import findings, reproduce, run
from xdrought.reproduction.chapters import CHAPTERS
from xdrought.reproduction.findings import CONTRADICTED, SUPPORTED, UNDECIDED, Chapter, above_zero, median_interval
from xdrought.reproduction.page import findings_table, write_page
from xdrought.reproduction.results import open_source
from xdrought.simulation import simulate


@pytest.mark.parametrize("model", findings.MODELS)
def test_the_published_table_is_copied_right_for_its_identities_hold(model):
    table, share = findings.table_1().loc[model], pd.Series(findings.SHARE)
    accuracy = (table.loc["recall"] * share).sum()
    assert accuracy == pytest.approx(findings.ACCURACY[model], abs=0.012)  # two digits in the paper
    assert (table.loc["recall"] * share / table.loc["precision"]).sum() == pytest.approx(1, abs=0.03)
    f1 = 2 * table.loc["precision"] * table.loc["recall"] / (table.loc["precision"] + table.loc["recall"])
    np.testing.assert_allclose(table.loc["f1"], f1, atol=0.013)


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [((0.1, 0.2), SUPPORTED), ((-0.2, -0.1), CONTRADICTED), ((-0.1, 0.2), UNDECIDED), ((np.nan, np.nan), UNDECIDED)],
)
def test_verdicts_follow_the_interval(ends, verdict):
    assert above_zero(*ends) == verdict


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
    chapter.find("4.1", "1 < 2", "yes", "yes", SUPPORTED)
    page = write_page("T<", "<p>s</p>", [chapter], {"maps": "no <grid>"}, {"k": "<v>"})
    assert "<script>" not in page
    for text in ("a&lt;b", "cap&lt;tion", "&lt;x&gt;", "1 &lt; 2", "no &lt;grid&gt;", "&lt;v&gt;", "<em>words</em>"):
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


def test_the_quick_report_of_the_twin_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    def stop(results):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "CHAPTERS", (*CHAPTERS[:4], stop))  # after the networks
    with pytest.raises(KeyboardInterrupt):
        command.main(["--quick", "--out", str(tmp_path)])
    assert not (tmp_path / "report.html").exists()
    stopped = kept_files(tmp_path)
    assert len(list((tmp_path / "cache").glob("network_*.xdrought"))) == 9  # five networks, four of them in two modes
    monkeypatch.setattr(run, "CHAPTERS", CHAPTERS)

    assert command.main(["--quick", "--out", str(tmp_path)]) == 0
    assert {path: kept_files(tmp_path)[path] for path in stopped} == stopped
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [title for title in TITLES if f">{escape(title)}</h2>" not in page] == []
    assert "Simulated data" in page
    assert "Left out:" not in page
    assert page.count("data:image/png;base64,") >= 25
    found = pd.read_csv(tmp_path / "findings.csv")
    assert set(found["where"]) >= {"3.1", "3.4", "4.1", "Table 1", "absent", "4.3, Fig. 5", "4.5, Fig. 7a"}
    assert found.notnull().all(axis=None)
    assert list((tmp_path / "cache").glob("placebo/*.nc"))

    finished = kept_files(tmp_path)
    assert command.main(["--quick", "--out", str(tmp_path)]) == 0
    assert kept_files(tmp_path) == finished
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
