"""Training: the loop on tensors, samplers, shards of sites, checkpoints and more than one process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tests.campaigns import kill_training
from tests.support.quick_training import DRIVERS, TARGET, quick, weights_of
from tests.support.towers import random_grid, random_sites
from xdrought import SplitConfig, TrainingOptions
from xdrought.causality import causality_degree
from xdrought.forecast.ensemble import Checkpoint
from xdrought.forecast.fitting import load_forecaster, predict
from xdrought.models import checkpoint
from xdrought.models.batches import Batch, cut
from xdrought.models.training import History, Training, TrainingConfig, consecutive, independent
from xdrought.splits import spatial_monte_carlo
from xdrought.windows.labelled import Patches

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sites() -> xr.Dataset:
    return random_sites(3, 120, 2)


# --- the loop on tensors ----------------------------------------------------------------------------------


class Line(nn.Module):
    """y = a x + b."""

    def __init__(self, a: float = 0.0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x, causality=None):
        return self.a * x[:, 0] + self.b


class Points:
    """A shard of points (x, y): those of training, then those of validation."""

    def __init__(self, x, y, val_y):
        self.x, self.y = torch.cat([x, x]), torch.cat([y, val_y])
        self.train, self.val = torch.arange(len(y)), torch.arange(len(y), 2 * len(y))
        self.cell, self.start = torch.zeros(len(self.x), dtype=torch.long), torch.arange(len(self.x))

    def batch(self, index, seed=0, learning=False):
        counts = torch.ones(len(index))
        return Batch(self.x[index], torch.arange(len(index)), counts, None, self.y[index])


def train_line(network, x, y, val_y, config, seed=0):
    return Training(network, [Points(x, y, val_y)], config, seed).run()


def test_training_finds_a_line():
    x = torch.linspace(-1, 1, 64)[:, None]
    y = 2 * x[:, 0] + 1
    history = train_line(Line(), x, y, y, TrainingConfig(epochs=60, batch_size=16, learning_rate=0.05))
    assert history.weights["a"] == pytest.approx(2, abs=0.01)
    assert history.weights["b"] == pytest.approx(1, abs=0.01)
    assert len(history.train_loss) == len(history.val_loss) == 60


def test_best_epoch_is_truly_kept():
    # training pulls a from 0 to 2, validation is best at 1: its loss falls, then rises again
    x = torch.linspace(-1, 1, 64)[:, None]
    network = Line()
    history = train_line(network, x, 2 * x[:, 0], x[:, 0], TrainingConfig(epochs=60, batch_size=16, learning_rate=0.05))
    assert history.val_loss[history.best_epoch] == min(history.val_loss) < history.val_loss[-1] / 10
    assert history.weights["a"] == pytest.approx(1, abs=0.1)
    assert network.a.item() == pytest.approx(2, abs=0.05)  # the live network went on
    network.load_state_dict(history.weights)
    again = ((network(x) - x[:, 0]) ** 2).mean().item()
    assert again == pytest.approx(min(history.val_loss), rel=1e-5)


def test_the_last_epoch_is_kept_when_asked():
    x = torch.linspace(-1, 1, 64)[:, None]
    network, config = Line(), TrainingConfig(epochs=60, batch_size=16, learning_rate=0.05, keep="last")
    history = train_line(network, x, 2 * x[:, 0], x[:, 0], config)
    assert history.weights["a"] == network.a.item() == pytest.approx(2, abs=0.05)
    assert history.val_loss[history.best_epoch] == min(history.val_loss) < history.val_loss[-1]


def test_losses_are_means_over_windows():
    # 5 windows in batches of 4 and 1: the last one joins, and the mean weighs every window alike
    x, y = torch.zeros(5, 1), torch.tensor([0.0, 0.0, 0.0, 0.0, 5.0])
    history = train_line(Line(), x, y, y, TrainingConfig(epochs=1, batch_size=4, learning_rate=1e-12))
    assert history.train_loss[0] == pytest.approx(5)
    assert history.val_loss[0] == pytest.approx(5)


@pytest.mark.parametrize(("n", "sizes"), [(8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2]), (1, [1]), (3, [3])])
def test_batches_never_hold_one_window_if_there_are_more(n, sizes):
    parts = cut(torch.arange(n), 4, 2)
    assert [len(part) for part in parts] == sizes
    assert torch.equal(torch.cat(parts), torch.arange(n))


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (float("nan"), 1.0, "the loss is .* in epoch 0: some window holds inputs that are not finite"),
        (1.0, float("inf"), "some window holds target values that are not finite"),
        (1e30, 1.0, "the weights grew without bound; use a learning rate below 0.1"),
    ],
)
def test_a_loss_that_is_no_number_stops_with_its_cause(x, y, match):
    values = torch.full((4,), y)
    with pytest.raises(FloatingPointError, match=match):
        train_line(Line(1.0), torch.full((4, 1), x), values, values, TrainingConfig(epochs=3, learning_rate=0.1))


def test_order_depends_on_seed_and_epoch_only():
    def met(seed, epochs=2):
        seen = []

        class Watch(Points):
            def batch(self, index, seed=0, learning=False):
                seen.append(index.tolist())
                return super().batch(index)

        x = torch.zeros(20, 1)
        training = Training(Line(), [Watch(x, x[:, 0], x[:, 0])], TrainingConfig(epochs, 10, 0.1, "independent"), seed)
        torch.rand(seed + 1)  # the global state plays no part
        training.run()
        return [batch for batch in seen if max(batch) < 20]

    assert met(0) == met(0)
    assert met(0) != met(1)
    assert met(0)[:2] != met(0)[2:]
    assert sorted(sum(met(0)[:2], [])) == list(range(20))


def test_trainings_in_two_threads_do_not_disturb_each_other(sites):
    """Initial weights, dropout and order of each are those of a training alone, whatever other threads draw."""

    def train(seed: int) -> np.ndarray:
        return weights_of(quick(sites, "CauRec", equations="released", seed=seed, epochs=3))

    def draw() -> None:
        while not done.is_set():
            torch.rand(10)

    alone = [train(seed) for seed in (0, 1)]
    done = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        drawing = pool.submit(draw)
        together = list(pool.map(train, (0, 1)))
        done.set()
        drawing.result()
    assert not np.allclose(alone[0], alone[1])
    np.testing.assert_array_equal(together, alone)


# --- samplers ---------------------------------------------------------------------------------------------


def stretches():
    """Cell 0: days 0-29 and 40-44; cell 1: days 45-54, that follow the day before in number only."""
    start = torch.cat([torch.arange(30), torch.arange(40, 45), torch.arange(45, 55)])
    return torch.tensor([0] * 35 + [1] * 10), start


@pytest.mark.parametrize("sampler", [independent, consecutive])
@pytest.mark.parametrize("block_length", [1, 7, 100])
def test_every_window_is_met_once(sampler, block_length):
    cell, start = stretches()
    for seed in range(5):
        order = sampler(cell, start, block_length, torch.Generator().manual_seed(seed))
        assert sorted(order.tolist()) == list(range(45))


def test_runs_are_consecutive_days_of_one_cell():
    cell, start = stretches()
    lengths = []
    for seed in range(20):
        order = consecutive(cell, start, 7, torch.Generator().manual_seed(seed))
        same = (cell[order].diff() == 0) & (start[order].diff() == 1)
        borders = np.flatnonzero(~same.numpy())
        own = np.diff([-1, *borders, 44])
        # at least 5 + 1 + 2 pieces of at most 7; two that happen to follow each other look like one
        assert len(own) >= 5
        lengths += list(own)
    assert np.bincount(lengths).argmax() == 7
    assert max(lengths) <= 21


def test_runs_are_cut_elsewhere_each_time():
    cell, start = torch.zeros(40, dtype=torch.long), torch.arange(40)
    firsts = set()
    for seed in range(30):
        order = consecutive(cell, start, 8, torch.Generator().manual_seed(seed))
        begins = order[1:][order.diff() != 1]
        firsts |= {int(day) % 8 for day in begins}
    assert firsts == set(range(8))


def test_runs_share_days():
    """16 windows of 15 days hold 30 different days; scattered ones 240."""
    cell, start = torch.zeros(4096, dtype=torch.long), torch.arange(4096)
    order = consecutive(cell, start, 16, torch.Generator().manual_seed(0))[:512]
    days = start[order][:, None] + torch.arange(15)
    # 32 whole runs make 32 x 30, if none happen to touch, and cut ones some more
    assert 850 < len(days.unique()) < 1100


# --- splits, samplers and shards of a fit -----------------------------------------------------------------


def test_runs_and_independent_windows_meet_the_same_windows(sites):
    shuffled, together = (quick(sites, sampler=name) for name in ("independent", "consecutive"))
    assert not np.allclose(weights_of(shuffled), weights_of(together))
    assert shuffled.settings["sampler"] == "independent"
    assert together.settings["train_windows"] == shuffled.settings["train_windows"]
    with pytest.raises(ValueError, match=r"sampler='days' is unknown; choose one of \['independent', 'consecutive'\]"):
        quick(sites, sampler="days")


def test_whole_sites_can_be_held_out(sites):
    splits = spatial_monte_carlo(sites[TARGET].notnull(), fractions=(0.4, 0.3, 0.3), seed=2)
    forecaster = quick(sites, "CauRec", split=splits)
    (train,) = np.flatnonzero(splits.ranges.start.sel(part="train").notnull())
    expected = sites.isel(site=train)
    assert forecaster.scaling.mean.sel(variable="t2m") == pytest.approx(float(expected.t2m.mean()))
    # nothing is known of the others: they take the training sites' mean degree, here of one site
    degree = causality_degree(expected[DRIVERS], expected[TARGET], train=slice(None))
    for site in range(3):
        np.testing.assert_allclose(forecaster.causality.rho.isel(site=site), degree.rho)
        np.testing.assert_allclose(forecaster.causality.p_value.isel(site=site), degree.p_value)
    assert predict(sites, forecaster)[TARGET].notnull().any("time").all()
    assert forecaster.settings["val_windows"] == 120 - 6


def test_splits_by_name(sites):
    more = random_sites(7, 60)
    named = quick(more, split="spatial_monte_carlo", seed=4)
    expected = spatial_monte_carlo(more[TARGET].notnull(), seed=4)
    xr.testing.assert_equal(named.splits.ranges.start.isnull(), expected.ranges.start.isnull())
    with pytest.raises(ValueError, match="split='random' is unknown; give Splits, SplitConfig, or one of"):
        quick(sites, split="random")
    with pytest.raises(ValueError, match="embargo=3 with whole sites held out"):
        SplitConfig("spatial_monte_carlo", embargo=3)
    with pytest.raises(ValueError, match="clusters with parts that follow each other in time"):
        SplitConfig(clusters=100.0)
    with pytest.raises(TypeError, match="training is a dict; give xdrought.TrainingOptions"):
        quick(sites, training={})


def test_one_shard_is_no_shard(sites):
    np.testing.assert_array_equal(
        weights_of(quick(sites, training=TrainingOptions(sites_in_memory=3))), weights_of(quick(sites))
    )


@pytest.mark.parametrize("variant", ["ResAttCauRec", "UNet"])
def test_data_larger_than_memory_are_read_in_shards(tmp_path, monkeypatch, variant):
    size = {"ResAttCauRec": 2, "UNet": 4}[variant]
    sites = random_sites(5, 60, size)
    options = {"widths": (4, 5), "window": 5, "training": TrainingOptions(sites_in_memory=2), "sampler": "consecutive"}
    expected = quick(sites, variant, **options)
    sites.chunk(site=1, time=-1).to_zarr(tmp_path / "sites.zarr")
    read, to_torch = [], Patches.to_torch

    def watch(self, device="cpu", sites=None):
        cube = to_torch(self, device, sites)
        read.append(cube.cube.shape[0])
        return cube

    monkeypatch.setattr(Patches, "to_torch", watch)
    stored = xr.open_zarr(tmp_path / "sites.zarr")
    found = quick(stored, variant, **options)
    assert set(read) == {1, 2}  # 5 sites in shards of 2, never more at a time
    np.testing.assert_allclose(weights_of(found), weights_of(expected), rtol=0, atol=1e-6)
    assert found.settings["train_windows"] == expected.settings["train_windows"]


def test_shards_of_a_grid_are_refused():
    with pytest.raises(ValueError, match="sites_in_memory is for sites; a grid is trained as a whole"):
        quick(random_grid(4, 4, 60), "Rec", "swvl1", size=2, training=TrainingOptions(sites_in_memory=2))
    with pytest.raises(ValueError, match="sites_in_memory=0; it must be a whole number, 1 or more"):
        TrainingOptions(sites_in_memory=0)


def test_gpu_options_change_nothing_on_a_cpu(sites):
    plain, asked = (
        quick(sites, "ResRec"),
        quick(sites, "ResRec", training=TrainingOptions(mixed_precision=True, compile=True)),
    )
    np.testing.assert_array_equal(weights_of(plain), weights_of(asked))


# --- checkpoints ------------------------------------------------------------------------------------------


class Stop(Exception):
    """Stands for the end of the process."""


def stop_after(monkeypatch, n: int) -> None:
    """The n-th checkpoint is written, then the process ends."""
    real, written = Checkpoint.save, []

    def save(*args):
        real(*args)
        written.append(1)
        if len(written) == n:
            raise Stop

    monkeypatch.setattr(Checkpoint, "save", save)


EQUATIONS = ("paper", "released")  # the latter has dropout
TWO_RUNS = {"runs": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def never_stopped(sites) -> dict:
    return {equations: quick(sites, "ResAttCauRec", equations=equations, **TWO_RUNS) for equations in EQUATIONS}


# 3 sites x 79 windows in batches of 16: 15 an epoch; one checkpoint each epoch, and one at the end of a run
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("equations", EQUATIONS)
def test_a_stopped_fit_goes_on_to_the_same_weights(sites, never_stopped, tmp_path, monkeypatch, n, equations):
    options, expected = {"equations": equations, **TWO_RUNS}, never_stopped[equations]
    with monkeypatch.context() as patched:
        stop_after(patched, n)
        with pytest.raises(Stop):
            quick(sites, "ResAttCauRec", checkpoint=tmp_path / "c", **options)
    found = quick(sites, "ResAttCauRec", checkpoint=tmp_path / "c", **options)
    for run in (0, 1):
        np.testing.assert_array_equal(weights_of(found, run), weights_of(expected, run))
    xr.testing.assert_identical(found.history, expected.history)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "c.run0", "c.run1"]  # from which more epochs go on


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_within_an_epoch_too(tmp_path, n):
    x = torch.linspace(-1, 1, 40)[:, None]
    config = TrainingConfig(epochs=3, batch_size=10, learning_rate=0.05, save_every=1)

    def training():
        return Training(Line(), [Points(x, 2 * x[:, 0], x[:, 0])], config, 0)

    expected, saved, going = training().run(), [], training()

    def save(now):
        saved.append(1)
        if len(saved) == n:
            (tmp_path / "c").write_bytes(checkpoint.to_bytes(*checkpoint.state_of(now)))
            raise Stop

    with pytest.raises(Stop):
        going.run(save=save)
    other = training()
    checkpoint.restore(other, *checkpoint.read(tmp_path / "c"))
    found = other.run()
    assert (found.train_loss, found.val_loss) == (expected.train_loss, expected.val_loss)
    assert torch.equal(found.weights["a"], expected.weights["a"])


def test_a_finished_fit_is_not_done_again(sites, tmp_path, monkeypatch):
    first = quick(sites, checkpoint=tmp_path / "c")
    monkeypatch.setattr(Training, "run", None)
    np.testing.assert_array_equal(weights_of(quick(sites, checkpoint=tmp_path / "c")), weights_of(first))


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    first, other = (History([1.0], [2.0], 0, {"a": torch.full((2,), value)}) for value in (0.0, 1.0))
    settings = {"seed": 0, "runs": 2, "epochs": 1}
    Checkpoint(tmp_path / "c", settings, first.weights).save([first], None)
    before = (tmp_path / "c").read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        Checkpoint(tmp_path / "c", settings, first.weights).save([other], None)
    assert (tmp_path / "c").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"learning_rate": 0.5}, "was made with learning_rate=0.0001, now 0.5; call with the same"),
        ({"epochs": 1}, "was made with epochs=2, now 1"),
        ({"seed": 1}, "was made with seed=0, now 1"),
        ({"runs": 2}, "was made with runs=1, now 2"),
        ({"variant": "CauRec"}, "was made with variant='Rec', now 'CauRec'"),
        ({"sampler": "consecutive"}, "was made with sampler='independent', now 'consecutive'"),
        ({"split": SplitConfig(embargo=9)}, "was made with split="),
        ({"ds": random_sites(3, 120, 2, seed=1)}, "was made with drivers=.*targets="),
    ],
)
def test_a_checkpoint_of_other_settings_or_data_is_refused(sites, tmp_path, change, match):
    quick(sites, checkpoint=tmp_path / "c")
    before = (tmp_path / "c").read_bytes()
    with pytest.raises(ValueError, match=match):
        quick(**{"ds": sites, "checkpoint": tmp_path / "c"} | change)
    assert (tmp_path / "c").read_bytes() == before


def test_a_foreign_or_damaged_checkpoint_is_refused(sites, tmp_path):
    path = tmp_path / "c"
    quick(sites, checkpoint=path)
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-3] ^= 1
    for wrong, match in (
        (b"", "is not a whole checkpoint"),
        (b"PK hello", "is not a whole checkpoint"),
        (content[:-10], "is not a whole checkpoint"),
        (bytes(flipped), "is damaged: its sum does not fit"),
        (content.replace(b"xdrought.checkpoint", b"yDrought.checkpoint"), "is 'yDrought.checkpoint' of version 2"),
    ):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=f"checkpoint .* {match}.*; delete it to start anew"):
            quick(sites, checkpoint=path)
        assert path.read_bytes() == wrong
    with pytest.raises(FileNotFoundError, match="is in no folder; make .*none first"):
        quick(sites, checkpoint=tmp_path / "none" / "c")


@pytest.mark.skipif(os.name != "posix", reason="kills children of this process by a signal")
def test_killed_at_random_it_ends_with_the_same_weights(monkeypatch, capsys):
    short = ["--kills", "2", "--days", "120", "--window", "4", "--batch-size", "8"]
    monkeypatch.setattr(sys, "argv", ["kill_training.py", *short])
    kill_training.main()
    told = capsys.readouterr().out
    assert "2 kills" in told
    assert "the same weights" in told


# --- more than one process --------------------------------------------------------------------------------

TOGETHER = """
import os, sys
from tests.models.test_training import fit_together
for variant in ("ResAttCauRec", "UNet"):
    forecaster = fit_together(variant, checkpoint=f"{sys.argv[1]}/{variant}.checkpoint", progress=True)
    forecaster.save(f"{sys.argv[1]}/{variant}.{os.environ['RANK']}")
"""


def fit_together(variant, **options):
    widths = (4, 5, 6, 7) if variant == "UNet" else (4, 4)
    return quick(
        random_sites(3, 80, 8),
        variant,
        window=8,
        widths=widths,
        sampler="consecutive",
        split=SplitConfig(fractions=(0.5, 0.25, 0.25)),
        training=TrainingOptions(sites_in_memory=2),
        **options,
    )


def test_two_processes_give_what_one_gives(tmp_path):
    """Batch statistics are those of the whole batch, so that the processes differ by rounding only."""
    (tmp_path / "together.py").write_text(TOGETHER)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, tmp_path / "together.py", tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for variant in ("ResAttCauRec", "UNet"):
        lines = [line.split(":")[0] for line in done.stderr.split("\n") if line.startswith(f"{variant} epoch")]
        assert lines == [f"{variant} epoch 1/2", f"{variant} epoch 2/2"]  # of one process, not of two
        alone, first, second = (
            fit_together(variant),
            *(load_forecaster(tmp_path / f"{variant}.{rank}") for rank in (0, 1)),
        )
        np.testing.assert_array_equal(weights_of(first), weights_of(second))
        np.testing.assert_allclose(first.history.train_loss, alone.history.train_loss, rtol=1e-5)
        # a bias before batch normalisation has no gradient but rounding error, which Adam takes for a slope; the
        # running mean follows it late, so that evaluation differs by a little more
        np.testing.assert_allclose(first.history.val_loss, alone.history.val_loss, rtol=2e-3)
        np.testing.assert_allclose(weights_of(first), weights_of(alone), rtol=0, atol=2e-2)
