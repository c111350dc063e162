"""The benchmark of decoding: its baselines say what we say, its arithmetic is what is done."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from auricle.decoding.options import DecodeOptions
from auricle.hub.folder import load_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from tests.helpers.paths import ROOT

FOLDER = ROOT / "benchmarks/decoding"
SECONDS = 2.0


@pytest.fixture(autouse=True)
def modules(monkeypatch):
    """The folder's modules, by the names by which they know each other, for one test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    names = {path.stem for path in FOLDER.glob("*.py")}
    for name in (set(sys.modules) - before) & names:
        del sys.modules[name]


@pytest.fixture
def system():
    """A debug model whose every parameter is random, biases too."""
    from systems import random_system

    options = DecodeOptions(candidates=6, temperature=0.7, max_length=12)
    system = random_system(debug_config(), options)
    generator = torch.Generator().manual_seed(1)
    for parameter in system.model.decoder.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return system


@pytest.fixture
def clips():
    from systems import make_clips

    return make_clips("full", 2, SECONDS, 16_000)


def test_the_slow_path_finds_what_ours_finds(system, clips):
    from fast_path import FastPath
    from slow_path import SlowPath
    from stopwatch import Stopwatch

    ours, needed = FastPath(system).caption(clips, 3, Stopwatch())
    theirs, spent = SlowPath(system).caption(clips, 3, Stopwatch())
    for fast, slow in zip(ours, theirs, strict=True):
        assert [c.text for c in fast] == [c.text for c in slow]
        assert [c.count for c in fast] == [c.count for c in slow]
        scores = [c.log_likelihood for c in slow]
        assert [c.log_likelihood for c in fast] == pytest.approx(scores, abs=1e-4)
    assert spent["encode"] == 3 * needed["encode"]
    assert spent["search"] > 5 * needed["search"]


def test_generate_decodes_by_the_same_logits(system, clips):
    from hf_generate import HfGenerate, placed
    from stopwatch import Stopwatch

    engine = HfGenerate(system)
    ids = torch.randint(4, 300, (4, 9), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        memory = system.model.encode(clips)
        ours = system.model.logits(memory, ids)
        heard = placed(system.model.decoder, memory.memory).repeat_interleave(2, dim=0)
        theirs = engine.bart(encoder_outputs=(heard,), decoder_input_ids=ids).logits
    assert ours.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    found, _ = engine.caption(clips, 0, Stopwatch())
    assert [sum(c.count for c in clip) for clip in found] == [6, 6]


@pytest.mark.parametrize("size", ["debug", "tiny"])
def test_formulas_count_what_is_multiplied(size):
    import floor

    config = debug_config() if size == "debug" else load_bundle("tiny").model.config
    model, samples = AudioCaptioner(config).eval(), round(SECONDS * 16_000)

    def counted(run):
        # The counter does not know the fused attention of a CPU.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            result = run()
        return result, counter.get_total_flops()

    decoder, ids = model.decoder, torch.full((1, 5), 7)
    with torch.inference_mode():
        memory, encode = counted(lambda: model.encode([torch.randn(samples)]))
        cross, read = counted(lambda: decoder.read_memory(memory.memory, memory.lengths))
        _, step = counted(lambda: decoder(ids[:, :1], cross))
        _, row = counted(lambda: decoder(ids, cross))
    frames = memory.memory.shape[1]
    assert encode == pytest.approx(floor.encode_flops(config, samples), rel=1e-3)
    assert read == floor.cross_flops(config.decoder, frames)
    assert step == floor.token_flops(config.decoder, 1, frames)
    # Beyond the formula, the products of tokens with those after them, which are masked away.
    masked = config.decoder.layers * 4 * config.decoder.dim * (0 + 1 + 2 + 3 + 4)
    assert row == floor.row_flops(config.decoder, 5, frames) + masked


def test_shared_beginnings_are_counted_once():
    from floor import row_flops, search_flops, token_flops

    config = debug_config().decoder
    rows = [[2, 5, 6], [2, 5, 7], [2, 5, 6]]
    expected = row_flops(config, 3, 40) + token_flops(config, 3, 40)
    assert search_flops(config, rows, 40) == expected


def test_a_stage_within_another_is_timed_apart(monkeypatch):
    import stopwatch

    now = iter([(0.0, 0.0), (1.0, 10.0), (3.0, 20.0), (7.0, 40.0), (8.0, 45.0)])
    monkeypatch.setattr(stopwatch, "_now", lambda: next(now))
    watch = stopwatch.Stopwatch()
    with watch("score"), watch("search"):
        pass
    assert watch.wall_s == {"score": 3.0, "search": 4.0}
    assert watch.cpu_s == {"score": 15.0, "search": 20.0}


def test_targets_are_told_from_measurements():
    from cases import Case, Measurement, Stage
    from targets import verdicts

    def took(wall_s, memory_mb=1000.0, cpu_s=4.0):
        return Measurement(
            {"encode": Stage(wall_s, cpu_s, 400_000_000_000)}, memory_mb, 100.0, 50.0
        )

    results = {
        Case("full", runs=2): took(6.0),
        Case("full", batch=16): took(90.0, 2500.0),
        Case("full", engine="slow"): took(60.0, cpu_s=81.0),
        Case("full", engine="hf"): took(60.0, cpu_s=8.0),
        Case("full", precision="bf16"): took(3.0),
        Case("tiny", batch=16, engine="pipeline", candidates=20): took(2.0),
        Case("full", seconds=30.0): took(1000.0, 9000.0),
    }
    lines = list(verdicts(results))
    told = [(line[:4], float(re.search(r"([\d.]+)  at ", line)[1])) for line in lines]
    assert told == [
        ("pass", 1.5),
        ("pass", 1000.0),
        ("MISS", 100.0),
        ("pass", 20.25),
        ("MISS", 2.0),
        ("MISS", 2.0),
        ("pass", 80.0),
    ]
