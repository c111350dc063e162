"""Live timelines: a caption comes soon after its sound, and nothing else does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from auricle.audio.level import amplitude, level_dbfs
from auricle.audio.load import load_audio
from auricle.describing import Describer
from auricle.model.pooled import PooledMemory
from auricle.timeline.live import LIVE, LiveTimeline
from auricle.timeline.options import TimelineOptions
from auricle.tiny.tracks import coloured_noise
from tests.helpers.live_sound import RealTime
from tests.helpers.models import captioner_of
from tests.helpers.paths import ROOT

RATE = 16_000
LATEST_S = LIVE["pause_s"] + 0.7  # blocks of 0.5 s and of 0.1 s, and frames


@pytest.fixture(scope="module")
def captioner(bundle):
    return captioner_of(bundle)


def listening(captioner, sound, every_s=None, **options):
    """(the second in which a caption came, the caption) of everything that is heard."""
    describer = Describer(captioner.ensemble, captioner.scorers, captioner.decoding(candidates=3))
    stream = RealTime(sound)
    timeline = LiveTimeline(stream, describer, TimelineOptions(**LIVE | options), every_s)
    return [(stream.heard_s, caption) for caption in timeline]


def noise(seconds, dbfs, slope=0.0, seed=0):
    made = coloured_noise(round(seconds * RATE), slope, np.random.default_rng(seed))
    return (made * amplitude(dbfs)).astype(np.float32)


def example(name, seconds, dbfs=-26.0):
    sound = load_audio(ROOT / "examples" / name, RATE).waveform[: round(seconds * RATE)]
    return sound * amplitude(dbfs - level_dbfs(sound))


def with_sounds(background, *places):
    """``places``: (second, sound)."""
    sound = background.copy()
    for at_s, one in places:
        sound[round(at_s * RATE) :][: len(one)] += one
    return sound


def test_a_caption_comes_when_its_sound_has_ended_and_waits_for_no_other(captioner):
    scene = with_sounds(noise(14, -66), (3, noise(2, -26)), (8, noise(3, -26)))
    found = listening(captioner, scene)
    assert [(one.start_s, one.end_s) for _, one in found] == [
        pytest.approx((3, 5), abs=0.1),
        pytest.approx((8, 11), abs=0.1),
    ]
    for at_s, one in found:
        assert one.end_s + 0.8 < at_s <= one.end_s + LATEST_S
        assert one.latency_s == pytest.approx(at_s - one.end_s, abs=0.01)
        assert not one.goes_on


@pytest.mark.parametrize("slope", [0.0, 1.0])
@pytest.mark.parametrize("dbfs", [-72, -60, -50])
def test_room_noise_is_no_sound_and_a_sound_after_two_seconds_of_it_is(captioner, dbfs, slope):
    assert not listening(captioner, noise(12, dbfs, slope))
    scene = with_sounds(noise(8, dbfs, slope), (2, example("birds-singing.ogg", 3)))
    found = listening(captioner, scene)
    assert found[0][1].start_s == pytest.approx(2.0, abs=0.3)
    assert found[-1][1].end_s == pytest.approx(5.0, abs=0.3)


def test_a_sound_that_goes_on_has_a_caption_now_and_then(captioner):
    scene = with_sounds(noise(20, -66), (2, noise(13, -26)))
    found = listening(captioner, scene, every_s=4.0)
    *going, (_, last) = found
    assert [one.goes_on for _, one in found] == [True] * len(going) + [False]
    assert len(going) == 3
    assert going[0][0] == pytest.approx(2 + 4, abs=2.1)
    assert all(4.0 <= later - sooner <= 6.1 for (sooner, _), (later, _) in pairwise(going))
    assert all(at_s - 1.1 <= one.end_s <= at_s for at_s, one in going)
    assert (last.start_s, last.end_s) == pytest.approx((2, 15), abs=0.1)


def test_what_was_heard_so_far_changes_no_caption_of_what_ended(captioner):
    scene = with_sounds(noise(20, -66), (2, noise(13, -26)))
    ended = [one for _, one in listening(captioner, scene, every_s=3.0) if not one.goes_on]
    ((_, alone),) = listening(captioner, scene)
    assert [(one.caption, one.start_s, one.end_s) for one in ended] == [
        (alone.caption, alone.start_s, alone.end_s)
    ]


def test_the_last_sound_is_captioned_when_the_input_ends(captioner):
    ((at_s, one),) = listening(captioner, with_sounds(noise(5, -66), (3, noise(2, -26))))
    assert (at_s, one.end_s) == pytest.approx((5.0, 5.0), abs=0.05)


def test_a_sound_longer_than_the_models_window_is_one_event(captioner, monkeypatch):
    monkeypatch.setattr("auricle.timeline.segments.find_changes", lambda *_: [])
    monkeypatch.setattr("auricle.timeline.events.Events._same", lambda *_: True)
    scene = with_sounds(noise(46, -66), (3, noise(40, -26)))
    *going, (at_s, last) = listening(captioner, scene, every_s=10.0)
    assert [one.goes_on for _, one in going] == [True] * 3
    assert all(one.start_s == pytest.approx(3, abs=0.1) for _, one in going)
    assert (last.start_s, last.end_s) == pytest.approx((3, 43), abs=0.1)
    assert not last.goes_on
    assert at_s <= 43 + LATEST_S


def test_a_sound_that_another_one_follows_at_once_does_not_wait_for_its_end(tiny):
    ringing, waves = example("telephone-ringing.wav", 6), example("sea-waves.ogg", 10)
    found = listening(tiny, with_sounds(noise(24, -66), (3, ringing), (9, waves)))
    assert found[0][1].end_s == pytest.approx(9.0, abs=1.0)
    assert found[0][0] <= 9 + 4.5  # looks every 2 s, and 2 s of what follows
    assert found[-1][1].end_s == pytest.approx(19.0, abs=1.0)


def test_captions_below_the_least_confidence_are_left_out(tiny):
    describer = Describer(tiny.ensemble, tiny.scorers, tiny.decoding(min_confidence=0.999))
    scene = with_sounds(noise(8, -66), (2, example("birds-singing.ogg", 3)))
    assert not list(LiveTimeline(RealTime(scene), describer, TimelineOptions(**LIVE)))


def test_listen_takes_its_settings_by_name(captioner):
    class Nothing:
        name, rate_hz = "nothing", RATE

        def start(self, inflow):
            inflow.put(noise(0.5, -66)[:, None], RATE)
            inflow.end()

        def close(self):
            pass

    timeline = captioner.listen(Nothing(), pause_s=2.0, candidates=2)
    assert timeline.typical_latency_s > 2.0
    assert list(timeline) == []
    with pytest.raises(TypeError, match="candidate"):
        captioner.listen(Nothing(), candidate=2)


def test_a_copy_of_a_memory_goes_on_alone(captioner):
    memory = captioner.models[0].encode([np.ones(RATE, np.float32)])
    pooled = PooledMemory(20)
    pooled.add([memory], 1.0)
    before = pooled.memories()[0].memory.clone()
    other = pooled.copy()
    for _ in range(30):
        other.add([memory], 1.0)
    assert pooled.seconds == 1.0
    assert pooled.memories()[0].memory.equal(before)
    assert other.seconds == 31.0
