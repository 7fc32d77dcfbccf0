"""What a GPU will be asked, asked of a CPU: no test here needs one."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.test_models import make, shared_windows
from xdrought.models.batches import SharedDays

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("ci_gpu", ROOT / "ci" / "benchmarks" / "gpu.py")
gpu = importlib.util.module_from_spec(spec)
sys.modules["ci_gpu"] = gpu  # its dataclasses look for their module
spec.loader.exec_module(gpu)


def test_the_script_runs_from_beginning_to_end_on_a_cpu(tmp_path, capsys):
    assert gpu.main(["--device", "cpu", "--small", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert [topic.__doc__ for topic in gpu.TOPICS] == list(results["topics"])
    page = (tmp_path / "gpu.md").read_text()
    for figures in results["topics"].values():
        for figure in figures:
            assert np.isfinite(figure["value"])
            assert figure["what"] in page
    assert "A dry run without a GPU: times, memory and counts mean nothing" in page
    assert not list(tmp_path.glob("*.checkpoint"))


def test_a_difference_or_a_topic_left_out_is_a_failure(tmp_path, monkeypatch, capsys):
    def wrong(at):
        """Made up"""
        yield gpu.Figure("difference", float("nan"), "", 1.0)
        yield gpu.Figure("other difference", 2.0, "", 1.0)
        yield gpu.Figure("good one", 1.0, "", 1.0)

    monkeypatch.setattr(gpu, "TOPICS", (wrong,))
    assert gpu.main(["--device", "cpu", "--small", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "FAILED Made up: difference is nan, at most 1 is allowed",
        "FAILED Made up: other difference is 2, at most 1 is allowed",
    ]
    assert (tmp_path / "gpu.md").read_text().count("**exceeded**") == 2
    assert gpu.main(["--device", "cpu", "--small", "--budget", "-1", "--out", str(tmp_path)]) == 1
    assert "| Made up | not measured: the time was over | | |" in (tmp_path / "gpu.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_page_says_that_nothing_was_measured(tmp_path, capsys):
    assert gpu.main(["--out", str(tmp_path)]) == 0
    page = (tmp_path / "gpu.md").read_text()
    assert page.count("| not measured |") == len(gpu.TOPICS)
    assert not (tmp_path / "gpu.json").exists()
    if not (ROOT / "docs" / "benchmarks" / "gpu.json").exists():
        assert (ROOT / "docs" / "benchmarks" / "gpu.md").read_text() == page


@pytest.mark.parametrize("variant", ["ResAttCauRec", "UNet"])
def test_maps_that_no_window_holds_change_neither_loss_nor_gradients(variant):
    windows, index = shared_windows(on_grid=False)
    network = SharedDays(make(variant).double().train())
    y, degree = torch.randn(6).double(), torch.rand(6, 24).double()
    losses, gradients = [], []
    for multiple in (1, 64):
        frames, position, counts = windows.days(index, multiple)
        network.zero_grad()
        loss = (network(frames, position, counts, degree) - y).square().mean()
        loss.backward()
        losses.append(loss.detach())
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    assert (len(frames), int(counts.sum()), int((counts == 0).sum())) == (64, 48, 64 - 33)
    torch.testing.assert_close(losses[1], losses[0], atol=1e-13, rtol=0)
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-12, rtol=1e-9)
