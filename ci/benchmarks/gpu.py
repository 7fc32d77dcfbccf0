"""One GPU, at most six minutes: are its numbers those of a CPU, and how fast is it?

    bash ci/gpu                                   writes docs/benchmarks/gpu.md and gpu.json
    python ci/benchmarks/gpu.py --device cpu --small --out FOLDER      every line at tiny sizes, as the tests do

Each topic compares the GPU with a CPU, or takes times, at the published size of the network. The exit status is 1 when
an equality fails or a topic is left out for lack of time. Without a GPU the page says that nothing was measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from xdrought import patches
from xdrought.forecast.shards import Shards
from xdrought.kernels.cross_map import Settings, cross_map
from xdrought.models import build, cross_mapping
from xdrought.models.batches import Batch, SharedDays, run
from xdrought.models.checkpoint import read, restore, state_of, to_bytes
from xdrought.models.expected_gradients import NetworkInputs, balanced_draws, expected_gradients, frozen
from xdrought.models.norm import BatchNorm2d
from xdrought.models.training import Training, TrainingConfig

BUDGET = 330.0  # seconds after which no further topic begins
LEAD = 7


@dataclass(frozen=True)
class Sizes:
    """Drivers, cells on a side, days of a window, widths and sites x days of the record; then the amounts of work."""

    drivers: int = 12
    size: int = 10
    window: int = 15
    widths: tuple[int, ...] = (64, 128)
    sites: int = 16
    days: int = 2400
    batch: int = 512
    steps: int = 20
    equal_batch: int = 64  # of what a CPU has to do as well
    maps: tuple[int, ...] = (512, 4096, 32768)  # at a time
    rounds: int = 5
    points: int = 512  # on the paths of attributions
    series: int = 1660  # days of the cross map
    targets: int = 48


SMALL = Sizes(2, 3, 4, (3, 4), 2, 60, 16, 2, 8, (16, 32), 1, 8, 60, 3)


@dataclass(frozen=True)
class Figure:
    """Something measured; where there is a limit, it must not be larger, and NaN is no pass."""

    what: str
    value: float
    unit: str = ""
    limit: float | None = None

    @property
    def fails(self) -> bool:
        return self.limit is not None and not self.value <= self.limit


class Place:
    """A device, the sizes, and the record and network that the topics share."""

    def __init__(self, device: torch.device, sizes: Sizes, folder: Path = Path()):
        self.device, self.sizes, self.folder = device, sizes, folder

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def shards(self, device: torch.device | str) -> Shards:
        """All windows of all sites, resident on a device; one in ten is for validation."""
        windows = self.windows
        parts = {"train": np.arange(len(windows)), "val": np.arange(0, len(windows), 10)}
        return Shards(windows, self.degrees, parts, torch.device(device))

    @cached_property
    def windows(self) -> Any:
        s, rng = self.sizes, np.random.default_rng(0)
        dims = ("site", "time", "patch_lat", "patch_lon")
        shape = (s.sites, s.days, s.size, s.size)
        data: dict[str, Any] = {f"v{k}": (dims, rng.standard_normal(shape, dtype="float32")) for k in range(s.drivers)}
        data["soil"] = (dims[:2], rng.standard_normal(shape[:2], dtype="float32"))
        coords = {"site": np.arange(s.sites), "time": pd.date_range("2001-01-01", periods=s.days)}
        return patches(xr.Dataset(data, coords), "soil", window=self.sizes.window, lead=LEAD)

    @cached_property
    def degrees(self) -> torch.Tensor:
        return torch.rand(self.sizes.sites, 8 * self.sizes.drivers, generator=torch.Generator().manual_seed(1))

    def network(self) -> nn.Module:
        """The published network, the same weights each time, on the CPU."""
        s = self.sizes
        return build(
            "ResAttCauRec",
            s.drivers,
            8 * s.drivers,
            s.size,
            s.window,
            widths=s.widths,
            generator=torch.Generator().manual_seed(0),
        )

    def batch(self, device: torch.device | str, n: int) -> Batch:
        """`n` windows in runs of 16 days."""
        shard = self.shards(device)[0]
        starts = torch.arange(0, len(shard.train) - 16, max(16, len(shard.train) * 16 // n))
        return shard.batch((starts[:, None] + torch.arange(16)).flatten()[:n])

    def training(self, device: torch.device | str, **settings: Any) -> Training:
        config = replace(TrainingConfig(batch_size=self.sizes.batch, epochs=1000), **settings)
        return Training(self.network().to(device), self.shards(device), config, 0)

    def wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object]) -> float:
        """Median of some rounds after one that does not count, until the device is done."""
        spent = []
        for _ in range(self.sizes.rounds + 1):
            self.wait()
            begun = time.perf_counter()
            work()
            self.wait()
            spent.append(time.perf_counter() - begun)
        return statistics.median(spent[1:])

    def peak_memory(self, work: Callable[[], object]) -> float:
        """GB that the device held at most during the work; of the process where it is a CPU."""
        if not self.on_gpu:
            work()
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        self.wait()
        return torch.cuda.max_memory_allocated(self.device) / 1e9


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether convolutions and products may round their factors to TF32."""
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = allowed
    try:
        yield
    finally:
        for backend, was in zip(backends, before, strict=True):
            backend.allow_tf32 = was


class Enough(Exception):
    """A training has run as far as it was to."""


def take_steps(training: Training, n: int) -> list[torch.Tensor]:
    """Losses of the next `n` steps, left on the device."""
    losses: list[torch.Tensor] = []

    def stop(loss: torch.Tensor) -> None:
        losses.append(loss)
        if len(losses) == n:
            raise Enough

    with suppress(Enough):
        training.run(on_batch=stop)
    return losses


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference of two tensors."""
    return float((found.detach().cpu().double() - expected.detach().cpu().double()).abs().max())


# --- the topics ---------------------------------------------------------------------------------------------------


def forecasts(at: Place) -> Iterator[Figure]:
    """Forecasts"""
    cube = at.windows.to_torch("cpu")
    few = cube.cell == 0
    one = replace(cube, cell=cube.cell[few][:512], start=cube.start[few][:512], target=None)
    expected = run(at.network(), one, at.degrees)
    network, degrees = at.network().to(at.device), at.degrees.to(at.device)
    moved, whole = (
        replace(each, cube=cube.cube.to(at.device), cell=each.cell.to(at.device), start=each.start.to(at.device))
        for each in (one, replace(cube, target=None))
    )
    for allowed, limit in ((False, 1e-5), (True, 1e-2)):
        with tf32(allowed):
            found = run(network, moved, degrees)
        yield Figure(f"difference from a CPU, TF32 {'on' if allowed else 'off'}", apart(found, expected), "", limit)
    for maps in at.sizes.maps:
        spent = at.seconds(lambda maps=maps: run(network, whole, degrees, maps // 8))
        yield Figure(f"windows a second, {maps} maps at a time", len(whole) / spent, "1/s")


def training_speed(at: Place) -> Iterator[Figure]:
    """Steps of training"""
    ways: dict[str, dict[str, Any]] = {
        "float32": {},
        "mixed precision": {"mixed_precision": True},
        "compiled": {"compile": True},
        "mixed precision, compiled": {"mixed_precision": True, "compile": True},
    }
    n = at.sizes.steps
    for sampler in ("independent", "consecutive"):
        for way, settings in ways.items():
            training = at.training(at.device, sampler=sampler, **settings)
            take_steps(training, min(3, n))
            at.wait()
            begun = time.perf_counter()
            take_steps(training, n)
            at.wait()
            yield Figure(f"steps a second, {sampler}, {way}", n / (time.perf_counter() - begun), "1/s")


def graphs(at: Place) -> Iterator[Figure]:
    """A step as one CUDA graph"""
    n = at.sizes.steps
    batch = at.batch(at.device, at.sizes.batch)
    plain, recorded = (at.training(at.device) for _ in range(2))
    step, replay = learning(plain, batch), learning(recorded, batch)
    if at.on_gpu:
        replay = as_graph(replay)  # three steps of warming up
    for _ in range(3 if at.on_gpu else 0):
        step()
    for _ in range(n):
        expected, found = step(), replay()
    yield Figure(f"relative difference of the loss after {n} steps", relative(found, expected), "", 1e-2)
    yield Figure("steps a second on one batch, eager", 1 / at.seconds(step), "1/s")
    yield Figure("steps a second on one batch, as a graph", 1 / at.seconds(replay), "1/s")


def learning(training: Training, batch: Batch) -> Callable[[], torch.Tensor]:
    """A step of Adam on one batch, always the same; gives the loss."""
    network = SharedDays(training.network.train())

    def step() -> torch.Tensor:
        output = network(batch.frames, batch.position, batch.counts, batch.causality)
        loss = (output - batch.target).square().mean()
        training.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        training.optimiser.step()
        return loss.detach()

    return step


def as_graph(step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """The step recorded once, then replayed without Python."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return loss

    return replay


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return apart(found, expected) / float(expected.abs())


def losses(at: Place) -> Iterator[Figure]:
    """The first losses of a training"""
    settings = {"sampler": "consecutive", "batch_size": at.sizes.equal_batch}
    with tf32(False):
        found = take_steps(at.training(at.device, **settings), at.sizes.steps)
    expected = take_steps(at.training("cpu", **settings), at.sizes.steps)
    each = [relative(one, other) for one, other in zip(found, expected, strict=True)]
    yield Figure(f"largest relative difference from a CPU over {len(each)} steps", max(each), "", 1e-3)


def kernels(at: Place) -> Iterator[Figure]:
    """Kernels of a step"""
    activities = {ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if at.on_gpu else [])}
    kind = DeviceType.CUDA if at.on_gpu else DeviceType.CPU
    training, n = at.training(at.device, sampler="consecutive"), at.sizes.steps
    take_steps(training, 3)
    at.wait()
    with profile(activities=activities) as seen:
        begun = time.perf_counter()
        take_steps(training, n)
        at.wait()
        spent = time.perf_counter() - begun
    found = [event for event in seen.key_averages() if event.device_type == kind]
    busy = sum(event.self_device_time_total if at.on_gpu else event.self_cpu_time_total for event in found) / 1e6
    yield Figure("kernels and copies a step", sum(event.count for event in found) / n)
    yield Figure("share of the time without a kernel, profiler on", 100 * max(0.0, 1 - busy / spent), "%")


def memory(at: Place) -> Iterator[Figure]:
    """Memory"""
    for sampler in ("independent", "consecutive"):
        training = at.training(at.device, sampler=sampler)
        held = at.peak_memory(lambda training=training: take_steps(training, 2))
        yield Figure(f"peak of a step with the record, {sampler}", held, "GB")
    network, windows = at.network().to(at.device), at.windows.to_torch(at.device)
    held = at.peak_memory(lambda: run(network, windows, at.degrees.to(at.device)))
    yield Figure("peak of a forecast with the record", held, "GB")


def mixed_precision(at: Place) -> Iterator[Figure]:
    """Running means in mixed precision"""
    batch, means = at.batch(at.device, at.sizes.batch), []
    for enabled in (False, True):
        network = SharedDays(at.network().to(at.device).train())
        with torch.no_grad(), torch.autocast(at.device.type, torch.bfloat16, enabled=enabled):
            network(batch.frames, batch.position, batch.counts, batch.causality)
        norms = [module for module in network.modules() if isinstance(module, BatchNorm2d)]
        means.append(torch.cat([(norm.running_mean / norm.running_var.sqrt()).cpu() for norm in norms]))
    yield Figure("difference from float32, in standard deviations", apart(means[1], means[0]), "", 2e-3)


def gradients(at: Place) -> Iterator[Figure]:
    """Gradients of a batch that holds each day once"""
    found = []
    for device, number in ((at.device, torch.float32), (torch.device("cpu"), torch.float64)):
        batch, network = at.batch(device, at.sizes.equal_batch), SharedDays(at.network().to(device, number).train())
        with tf32(False):
            output = network(batch.frames.to(number), batch.position, batch.counts, batch.causality.to(number))
            (output - batch.target.to(number)).square().mean().backward()
        found.append(torch.cat([p.grad.flatten().cpu().double() for p in network.parameters()]))
    largest = float(found[1].abs().max())
    yield Figure("difference from float64 on a CPU, in largest gradients", apart(*found) / largest, "", 1e-4)


def attributions(at: Place) -> Iterator[Figure]:
    """Expected gradients"""
    batch, found = at.batch("cpu", 8), []
    windows = NetworkInputs(batch.frames[batch.position], batch.causality)
    draws = balanced_draws(range(4), 4, at.sizes.points // 4, 0)
    for device in (at.device, torch.device("cpu")):
        network = frozen(at.network().to(device))
        here = NetworkInputs(windows.x.to(device), windows.causality.to(device))

        def explain(
            network: nn.Module = network, here: NetworkInputs = here, device: torch.device = device
        ) -> torch.Tensor:
            return expected_gradients(network, here[:4], here[4:], draws.to(device)).x

        if not found:
            yield Figure("points a second", at.sizes.points / at.seconds(explain), "1/s")
        with tf32(False):
            found.append(explain())
    yield Figure("difference from a CPU, in largest shares", apart(*found) / float(found[1].abs().max()), "", 1e-3)


def cross_maps(at: Place) -> Iterator[Figure]:
    """Cross mapping by the torch engine"""
    series = np.random.default_rng(2).standard_normal((at.sizes.targets + 1, at.sizes.series)).cumsum(axis=1)
    expected = cross_map(series[0], series[1:], Settings(), 0).rho
    vectors = torch.from_numpy(np.stack([series[0, 1:], series[0, :-1]], 1)).to(at.device)
    targets, days = torch.from_numpy(series[1:, 1:]).to(at.device), torch.arange(1, at.sizes.series, device=at.device)

    def found() -> torch.Tensor:
        return cross_mapping.cross_map(vectors, days, targets, 0).rho

    yield Figure("difference from the CPU's search", apart(found(), torch.from_numpy(expected)), "", 1e-10)
    yield Figure(f"one manifold, {at.sizes.targets} targets", 1e3 * at.seconds(found), "ms")


def resuming(at: Place) -> Iterator[Figure]:
    """A training that goes on from a checkpoint"""
    settings = {"sampler": "consecutive", "batch_size": at.sizes.equal_batch}
    unbroken = at.training(at.device, **settings)
    with tf32(False):
        take_steps(unbroken, 3)
        path = at.folder / "gpu.checkpoint"
        path.write_bytes(to_bytes(*state_of(unbroken)))
        expected = take_steps(unbroken, 3)[-1]
        again = at.training(at.device, **settings)
        restore(again, *read(path))
        path.unlink()
        found = take_steps(again, 3)[-1]
    yield Figure("relative difference of the loss three steps later", relative(found, expected), "", 1e-4)


TOPICS = (
    forecasts,
    losses,
    gradients,
    mixed_precision,
    attributions,
    cross_maps,
    resuming,
    memory,
    kernels,
    graphs,
    training_speed,
)

# --- the page -----------------------------------------------------------------------------------------------------

HEAD = """# Speed and equality on a GPU

`bash ci/gpu` measures what this page says, in at most six minutes on one GPU, and writes it; it fails when a number on
the GPU is not that of a CPU within the limit given. ResAttCauRec with {parameters:,} parameters reads windows
of {s.window} days x {s.drivers} drivers x {s.size} x {s.size} cells, the record is {s.sites} sites x {s.days} days of
random numbers, and a batch has {s.batch} windows.

"""


def page(results: dict[str, Any] | None, sizes: Sizes) -> str:
    """The results as text; without any it says that nothing was measured."""
    parameters = sum(p.numel() for p in Place(torch.device("cpu"), sizes).network().parameters())
    text = HEAD.format(s=sizes, parameters=parameters)
    if results is None:
        text += "No GPU was there when this page was written. What the script measures:\n\n| topic | |\n|---|---|\n"
        return text + "".join(f"| {topic.__doc__} | not measured |\n" for topic in TOPICS)
    if not results["cuda"]:
        text += "**A dry run without a GPU: times, memory and counts mean nothing.** "
    text += "{device}, torch {torch}, CUDA {cuda}, Python {python}; {seconds:.0f} s in all.\n\n".format(**results)
    text += "| topic | | measured | at most |\n|---|---|---|---|\n"
    for topic, figures in results["topics"].items():
        for each in map(lambda values: Figure(**values), figures):
            limit = "" if each.limit is None else f"{each.limit:g}{' **exceeded**' if each.fails else ''}"
            text += f"| {topic} | {each.what} | {each.value:.4g} {each.unit} | {limit} |\n"
    for topic in results["left_out"]:
        text += f"| {topic} | not measured: the time was over | | |\n"
    return text


def measure(at: Place, budget: float) -> dict[str, Any]:
    """All topics, those left out for lack of time, and where it was."""
    begun = time.perf_counter()
    topics: dict[str, list[dict]] = {}
    left_out: list[str] = []
    for topic in TOPICS:
        title = str(topic.__doc__)
        if time.perf_counter() - begun > budget:
            left_out.append(title)
            continue
        topics[title] = []
        for figure in topic(at):
            topics[title].append(asdict(figure))
            print(f"{title}: {figure.what}: {figure.value:.4g} {figure.unit}", flush=True)
    return {
        "device": torch.cuda.get_device_name(at.device) if at.on_gpu else f"no GPU, {platform.machine()}",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "seconds": time.perf_counter() - begun,
        "sizes": asdict(at.sizes),
        "topics": topics,
        "left_out": left_out,
    }


def failures(results: dict[str, Any]) -> list[str]:
    """What went wrong, in words."""
    wrong = [
        f"{topic}: {figure['what']} is {figure['value']:.3g}, at most {figure['limit']:g} is allowed"
        for topic, figures in results["topics"].items()
        for figure in figures
        if Figure(**figure).fails
    ]
    return wrong + [f"{topic}: the time was over" for topic in results["left_out"]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny sizes, whose times mean nothing")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds after which no further topic begins")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args(arguments)
    sizes = SMALL if options.small else Sizes()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        (options.out / "gpu.md").write_text(page(None, sizes))
        print("there is no GPU here: nothing was measured, and the page says so", file=sys.stderr)
        return 0
    at = Place(torch.device(options.device), sizes, options.out)
    results = measure(at, options.budget)
    (options.out / "gpu.json").write_text(json.dumps(results, indent=1))
    (options.out / "gpu.md").write_text(page(results, sizes))
    for line in failures(results):
        print(f"FAILED {line}", file=sys.stderr)
    return int(bool(failures(results)))


if __name__ == "__main__":
    sys.exit(main())
