"""What all chapters are made of: events, networks, forecasts, scores and attributions, computed once and cached."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.attribution import attributions
from xdrought.causality import causality_degree
from xdrought.choices import ComplexityThreshold, Direction, Mode, ReportPercentiles, Sampler, SpatialDraws, VariantName
from xdrought.data import open_fluxnet, screen_sites
from xdrought.data.era5 import DRIVERS
from xdrought.events import CLASSES, drought_classes, flash_drought_events
from xdrought.forecast import Forecaster, TrainingOptions, fit_resattcaurec, predict
from xdrought.reproduction import published
from xdrought.reproduction.findings import Setting
from xdrought.simulation import twin as simulated
from xdrought.splits import SplitConfig, Splits, chronological
from xdrought.study.comparison import score_members
from xdrought.study.result_cache import Member, ResultCache
from xdrought.verification import persistence_forecast
from xdrought.windows import patches

# What a FLUXNET2015 tower measures of what the paper takes from ERA5.
TOWER_DRIVERS = ("TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature")
PATCH = ("patch_lat", "patch_lon")
TRUTH = "truth_strength"  # a coordinate that simulated data have, and no observation
_IN_MEMORY = 2**30  # bytes
ENOUGH_SITES = 100  # from here on a network of towers is called comparable to the paper's 156


@dataclass(frozen=True, eq=False)
class SiteData:
    """Daily data of sites, ready for the study."""

    name: str
    ds: xr.Dataset
    drivers: tuple[Hashable, ...]
    sites: pd.DataFrame
    is_simulated: bool = False

    @property
    def size(self) -> int:
        """Cells on a side of the maps around a site, 1 where there are none."""
        return int(self.ds.sizes.get(PATCH[0], 1))

    @property
    def has_maps(self) -> bool:
        return self.size > 1

    @property
    def lacking(self) -> list[str]:
        """Drivers of the paper that are not there."""
        return [name for name in DRIVERS if name not in self.drivers]


def open_source(data: str | Path | None, target: str = "soil_moisture") -> SiteData:
    """The twin without `data`; a folder of FLUXNET2015 files; or one netCDF file or zarr store of sites with maps."""
    if data is None:
        return simulated_source()
    path = Path(data)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}; give a folder of FLUXNET2015 files, or a netCDF or zarr")
    if path.is_dir() and path.suffix != ".zarr":
        return _towers(path)
    ds = xr.open_zarr(path) if path.suffix == ".zarr" else xr.open_dataset(path)
    if target not in ds or "site" not in ds.dims:
        raise ValueError(
            f"{path} needs {target!r} on (site, time), found {sorted(map(str, ds.data_vars))} on "
            f"{tuple(ds.sizes)}; xdrought.data.collocate.collocate makes such data of a grid and sites"
        )
    kept, report = _screened(ds)
    kept = kept.load() if kept.nbytes < _IN_MEMORY else kept  # else each network reads the file anew
    drivers = tuple(str(v) for v in kept.data_vars if v != target and "time" in kept[v].dims)
    named = tuple(name for name in DRIVERS if name in drivers) or drivers
    return SiteData(path.name, kept, named, report, is_simulated=TRUTH in ds.coords)


def simulated_source(n_sites: int = 10, n_days: int = 1461, size: int = 6, seed: int = 3) -> SiteData:
    """The twin, small enough for a laptop."""
    ds = simulated.simulate(n_sites=n_sites, n_days=n_days, size=size, seed=seed)
    _, report = _screened(ds)
    return SiteData("simulated twin", ds, tuple(simulated.DRIVERS), report, is_simulated=True)


def _towers(folder: Path) -> SiteData:
    inner = folder / "fluxnet2015"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture are in the report
        kept, report = _screened(open_fluxnet(inner if inner.is_dir() else folder))
    drivers = tuple(name for name in TOWER_DRIVERS if name in kept)
    return SiteData(f"FLUXNET2015 towers of {folder.name}", kept, drivers, report)


def _screened(ds: xr.Dataset) -> tuple[xr.Dataset, pd.DataFrame]:
    kept, report = screen_sites(ds)
    return kept.transpose("site", "time", ...), report


T = TypeVar("T")
FULL: VariantName = "ResAttCauRec"
REFERENCES = ("persistence", "damped_persistence", "climatology")
_ONE_OF = {
    "sampler": Sampler,
    "mode": Mode,
    "directions": Direction,
    "percentiles": ReportPercentiles,
    "spatial_draws": SpatialDraws,
    "complexity_pool": ComplexityThreshold,
}


@dataclass(frozen=True)
class ReportSettings:
    """How the networks are trained and explained; the defaults are the paper's.

    Parameters
    ----------
    epochs, batch_size, learning_rate, runs, window, lead
        As in :func:`xdrought.fit_resattcaurec`.
    widths, unet_widths : tuple of int, optional
        Sizes of the networks, the published ones by default.
    sampler : str
        "independent" as in the paper, or "consecutive", which is faster.
    mode : str
        Whose choices these are; see ``xdrought.reproduction.modes.settings_of``.
    equations : tuple of str
        Which equations: "paper", "released"; the first are those that all figures are of.
    directions : str
        `direction` of :func:`xdrought.causality_degree`.
    training : TrainingOptions
        As in :func:`xdrought.fit_resattcaurec`. A period of scaling that the data lack is replaced by their first year.
    embargo : int, optional
        Days between the parts; window + lead by default.
    percentiles : {"record", "training"}
        Of which days soil moisture is ranked for events and classes.
    n_background, n_draws : int
        Of the expected gradients.
    surrogates : int
        Of each driver, for the test of cross mapping.
    n_boot : int
        Bootstrap samples.
    variant : str
        The network of sweeps, placebos and spatial validation; the whole one in the paper's settings.
    leads, windows, batch_sizes, learning_rates : tuple
        Values of the sweeps; none leaves a sweep out.
    folds, spatial_draws : int and str
        `folds` and `draws` of :func:`xdrought.study.spatial_validation`.
    complexity_pool : str
        `threshold` of :func:`xdrought.drought_complexity`.
    ablation : bool
        Whether to train all eight networks with and without each piece.
    seed : int
        For everything that is drawn.
    device : str
        Where the networks run.
    """

    epochs: int = 50
    batch_size: int = 512
    learning_rate: float = 1e-4
    runs: int = 10
    window: int = 15
    lead: int = 7
    widths: tuple[int, ...] | None = None
    unet_widths: tuple[int, ...] | None = None
    sampler: Sampler = "independent"
    mode: Mode = "default"
    equations: tuple[str, ...] = ("paper", "released")
    directions: Direction = "cause_to_effect"
    training: TrainingOptions = TrainingOptions()
    embargo: int | None = None
    percentiles: ReportPercentiles = "record"
    n_background: int = 50
    n_draws: int = 200
    surrogates: int = 199
    n_boot: int = 1000
    variant: VariantName = FULL
    leads: tuple[int, ...] = (1, 3, 5, 7, 10, 14)
    windows: tuple[int, ...] = (7, 15, 30)
    batch_sizes: tuple[int, ...] = (32, 128, 512)
    learning_rates: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)
    folds: int = 5
    spatial_draws: SpatialDraws = "folds"
    complexity_pool: ComplexityThreshold = "pooled"
    ablation: bool = True
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in _ONE_OF.items():
            checks.require_choice(getattr(self, name), name, get_args(known))

    def of_training(self, variant: str) -> dict[str, Any]:
        """Keywords of `fit_resattcaurec` for one network."""
        shared = ("epochs", "batch_size", "learning_rate", "runs", "window", "lead", "sampler", "seed", "device")
        widths = self.unet_widths if variant == "UNet" else self.widths
        training = {} if self.training == TrainingOptions() else {"training": self.training}
        return {**{name: getattr(self, name) for name in shared}, "widths": widths, **training}


QUICK = ReportSettings(
    epochs=6,
    batch_size=128,
    learning_rate=2e-3,
    runs=2,
    widths=(8, 16),
    unet_widths=(4, 8),
    sampler="consecutive",
    n_background=20,
    n_draws=40,
    n_boot=500,
    variant="CauRec",
    leads=(1, 7, 14),
    windows=(7, 15, 30),
    batch_sizes=(64, 256),
    learning_rates=(2e-4, 2e-2),
    folds=4,
    ablation=False,
    device="cpu",
)


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that the chapters need of one source, computed when it is first asked for."""

    source: SiteData
    settings: ReportSettings
    cache: ResultCache
    target: Hashable = "soil_moisture"
    _memory: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """What was made for these arguments before, or is made now."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    @property
    def observed(self) -> xr.DataArray:
        return self.source.ds[self.target]

    def setting(self, *rests_on: str) -> Setting:
        """What is other or smaller here than in the paper, of the things that a finding rests on.

        These are the data always, "maps" for findings of the drivers' maps, "training" for findings of networks, and
        "experiment" for those of placebos, sweeps and held-out sites, whose network may be a smaller one.
        """
        s, source = self.settings, self.source
        n, lacking = source.ds.sizes["site"], len(source.lacking)
        other = ["simulated"] if source.is_simulated else []
        other += [f"{n} of {published.SITES} sites"] if n < ENOUGH_SITES else []
        if "maps" in rests_on and source.size != published.SIZE:
            other += [f"maps {source.size} x {source.size}" if source.has_maps else "no maps"]
        if "maps" in rests_on and lacking:
            other += [f"{published.N_DRIVERS - lacking} of {published.N_DRIVERS} ERA5 drivers"]
        if {"training", "experiment"} & set(rests_on):
            other += [f"{s.epochs} of {published.EPOCHS} epochs"] if s.epochs < published.EPOCHS else []
            other += [f"{s.runs} of {published.RUNS} runs"] if s.runs < published.RUNS else []
            other += [f"widths {', '.join(map(str, s.widths))}"] if s.widths is not None else []
            other += [f"{s.sampler} batches"] if s.sampler != "independent" else []
        if "experiment" in rests_on and s.variant != FULL:
            other += [f"{s.variant} alone"]
        return Setting(tuple(other), source.is_simulated)

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """The paper's ladder, as far as the data allow."""
        return ("Rec", "ResRec", "ResAttRec", FULL, *(("UNet",) if self.source.has_maps else ()))

    @cached_property
    def soil_temperature(self) -> xr.DataArray | None:
        return self.source.ds.get("soil_temperature")

    @cached_property
    def events(self) -> xr.Dataset:
        return flash_drought_events(self.observed, soil_temperature=self.soil_temperature, reference=self.ranked)

    @cached_property
    def classes(self) -> xr.DataArray:
        return drought_classes(self.observed, reference=self.ranked)

    @cached_property
    def ranked(self) -> xr.DataArray | None:
        """The record that soil moisture is ranked in, None for the whole one."""
        return None if self.settings.percentiles == "record" else self.observed.where(self.training_days)

    @cached_property
    def splits(self) -> Splits:
        s = self.settings
        windows = patches(self.source.ds, self.target, drivers=self.source.drivers, window=s.window, lead=s.lead)
        return chronological(windows, embargo=s.embargo)

    @cached_property
    def training_days(self) -> xr.DataArray:
        return self.splits.training_days(self.observed["time"]).drop_vars("part", errors="ignore")

    def part(self, name: str) -> xr.DataArray:
        """True on the target days of a part."""
        return self.splits.mask(name, self.observed["time"]).drop_vars("part", errors="ignore")

    def mode(self, variant: str, equations: str | None) -> str:
        """The mode of a network: the first one by default, and for the U-Net, which has no two."""
        first = self.settings.equations[0]
        return first if variant == "UNet" else equations or first

    def forecaster(self, variant: str = FULL, equations: str | None = None) -> Forecaster:
        """A trained network, in one of the two modes."""
        mode = self.mode(variant, equations)
        how = {**self.settings.of_training(variant), "variant": variant, "equations": mode, "split": self.splits}
        if self.settings.directions != "cause_to_effect" and "Cau" in variant:
            how["causality"] = self.degree

        def train(checkpoint: Path | None) -> Forecaster:
            return fit_resattcaurec(
                self.source.ds, self.target, self.source.drivers, checkpoint=checkpoint, progress=False, **how
            )

        named = {name: value for name, value in how.items() if name not in ("split", "causality")} | self._unusual
        name = f"network_{variant}_{mode}"
        return self._once((name,), lambda: self.cache.forecaster(name, named, train))

    @cached_property
    def degree(self) -> xr.Dataset:
        """The causality degree of the training part in the directions asked for."""
        drivers = self.source.ds[list(self.source.drivers)]
        result = causality_degree(drivers, self.observed, train=self.training_days, direction=self.settings.directions)
        return result[["rho", "p_value"]].compute()

    def forecast(self, variant: str = FULL, equations: str | None = None) -> xr.DataArray:
        """Forecasts (run, site, time) of the whole record at their valid time."""
        mode = self.mode(variant, equations)

        def make(checkpoint: Path | None = None) -> xr.Dataset:
            forecaster = self.forecaster(variant, mode)
            made = predict(self.source.ds, forecaster, device=self.settings.device)[[self.target]]
            made = made if "run" in made.dims else made.expand_dims(run=[0])
            return made.astype("float32").drop_vars([c for c in made.coords if c not in ("run", "site", "time")])

        of = {**self.settings.of_training(variant), "variant": variant, "equations": mode, **self._unusual}
        name = f"forecast_{variant}_{mode}"
        kept = self._once((name,), lambda: self.cache.dataset(name, of, make)[self.target])
        return kept.assign_attrs(self.observed.attrs).reindex(time=self.observed["time"])

    @property
    def _unusual(self) -> dict[str, Any]:
        """Settings beside those of the training that a network depends on, as far as they are not the default."""
        given = {"directions": self.settings.directions, "embargo": self.settings.embargo}
        usual = {"directions": "cause_to_effect", "embargo": None}
        return {name: value for name, value in given.items() if value != usual[name]}

    def forecasts(self, equations: str | None = None, part: str | None = None) -> dict[str, xr.DataArray]:
        """Forecasts of all networks, on the days of one part."""
        found = {variant: self.forecast(variant, equations) for variant in self.variants}
        return found if part is None else {name: da.where(self.part(part)) for name, da in found.items()}

    def member_scores(self, part: str = "test", equations: str | None = None) -> xr.Dataset:
        """Scores of every run at every site, (model, run, site), with the references."""
        mode = equations or self.settings.equations[0]

        def make(checkpoint: Path | None = None) -> xr.Dataset:
            lead = self.settings.lead
            members = {name: Member(da, self.splits, lead) for name, da in self.forecasts(mode).items()}
            return score_members(members, self.observed, part=part)

        return self._once(("scores", part, mode), make)

    @cached_property
    def median_run(self) -> int:
        """The run of the whole network whose pooled NSE in the test part is the median; for what needs one path."""
        nse = self.member_scores("test").nse_run.sel(model=FULL).values
        return int(np.argsort(nse)[(nse.size - 1) // 2])

    @cached_property
    def persistence(self) -> xr.DataArray:
        """The observation of the day of issue, at the valid time."""
        lead = np.timedelta64(self.settings.lead, "D")
        return persistence_forecast(self.observed, self.observed, lead=lead)

    def classes_of(self, forecast: xr.DataArray, **thresholds: Any) -> xr.DataArray:
        """Daily classes of a forecast, whose percentiles are those of the observed record (as in the paper)."""
        same = forecast.transpose(..., "site", "time").assign_attrs(self.observed.attrs)
        reference = self.observed if self.ranked is None else self.ranked
        return drought_classes(same, reference=reference, **thresholds)

    @cached_property
    def confusions(self) -> xr.DataArray:
        """Test days that all have by (model, run, site, observed, forecast) class: every run, and persistence."""
        return self.confusions_with(40, 20)

    def confusions_with(self, upper: float, lower: float) -> xr.DataArray:
        """The same with classes by other percentiles of the end and the start of an onset."""
        thresholds: dict[str, Any] = {"upper": upper, "lower": lower}
        observed = drought_classes(self.observed, reference=self.ranked, **thresholds)
        paths = {**self.forecasts(), "persistence": self.persistence}
        classes = {name: self.classes_of(da, **thresholds) for name, da in paths.items()}
        missing = CLASSES["missing"]
        shared = self.part("test") & (observed != missing)
        for da in classes.values():
            valid = da != missing
            shared = shared & (valid.all("run") if "run" in valid.dims else valid)
        number = {name: CLASSES[name] for name in published.CLASSES}
        obs = xr.concat([(observed == k) & shared for k in number.values()], "observed_class")
        tables = []
        for da in classes.values():
            fcst = xr.concat([da == k for k in number.values()], "forecast_class")
            count = xr.dot(obs.astype("float32"), fcst.astype("float32"), dim="time")
            count = count if "run" in count.dims else count.expand_dims(run=self.settings.runs)
            tables.append(count.drop_vars(list(set(count.coords) - {"site"})))
        same: dict[str, Any] = {"coords": "minimal", "compat": "override"}
        result = xr.concat(tables, pd.Index(list(classes), name="model"), **same)
        labels = {"observed_class": list(number), "forecast_class": list(number)}
        result = result.assign_coords(labels).astype("float64")
        return result.transpose("model", "run", "site", "observed_class", "forecast_class")

    def experiment(self, name: str) -> dict[str, Any]:
        """Keywords that the experiments share: a folder for their forecasts, and how to train."""
        s = self.settings
        shared = ("epochs", "batch_size", "learning_rate", "sampler", "widths", "device", "runs", "seed")
        how = {key: getattr(s, key) for key in shared}
        how |= {} if s.training == TrainingOptions() else {"training": s.training}
        how |= {} if s.embargo is None or name == "spatial" else {"split": SplitConfig(embargo=s.embargo)}
        return {**how, "cache_dir": self.cache.folder(name), "progress": False}

    @cached_property
    def shares(self) -> xr.Dataset:
        """Expected gradients of the whole network on every onset day of the record, mean of the runs."""
        forecaster, s = self.forecaster(), self.settings

        def make(checkpoint: Path | None = None) -> xr.Dataset:
            onsets = self.classes.isin([CLASSES["normal_onset"], CLASSES["flash_onset"]])
            made = attributions(
                self.source.ds,
                forecaster,
                where=onsets,
                n_background=s.n_background,
                n_draws=s.n_draws,
                seed=s.seed,
                device=s.device,
                progress=False,
            )
            made = made.mean("run", keep_attrs=True) if "run" in made.dims else made
            return made.drop_vars([name for name, c in made.coords.items() if c.dtype.kind == "O"], errors="ignore")

        of = {**s.of_training(FULL), "equations": s.equations[0], "n_background": s.n_background, "n_draws": s.n_draws}
        of |= self._unusual
        return self.cache.dataset(f"attributions_{FULL}", of, make)
