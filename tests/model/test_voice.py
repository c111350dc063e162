"""Pitch and voicing, on vowels made of harmonic tones and two resonances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from auricle.model.voice import BINS, HIGHEST_HZ, LOWEST_HZ, VOICE_DIMS, Voice
from auricle.model.yamnet import CLASSES, Yamnet, YamnetConfig

RATE_HZ = 16_000
PATCH, HOP = 15_600, 7_680
VOICES = {"man": 110.0, "woman": 210.0, "child": 320.0}


def vowel(pitch_hz, seconds=2.0, formants_hz=(700.0, 1200.0), glide=0.0, rate_hz=RATE_HZ):
    """Pulses through two resonances, [L] float32; the pitch swings by ``glide`` octaves."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    hz = pitch_hz * 2.0 ** (glide / 2 * np.sin(2 * np.pi * 1.5 * time))
    phase = 2 * np.pi * np.cumsum(hz) / rate_hz
    sound = sum(np.sin(k * phase) / k for k in range(1, int(7000 / hz.max())))
    for formant in formants_hz:
        pole = np.exp(-np.pi * 90 / rate_hz)
        sound = lfilter([1], [1, -2 * pole * np.cos(2 * np.pi * formant / rate_hz), pole**2], sound)
    return torch.from_numpy((0.3 * sound / np.abs(sound).max()).astype(np.float32))


def noise(seconds=2.0, seed=0):
    values = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE_HZ))
    return torch.from_numpy(values.astype(np.float32))


def hear(waveform):
    return Voice(PATCH, HOP)(waveform[None])[0]


def pitch_hz(features):
    """The mean of the distribution of the pitch."""
    bins = features[:, 2 : 2 + BINS].mean(dim=0)
    octaves = float((bins * torch.arange(BINS)).sum() / bins.sum()) / (BINS - 1)
    return LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** octaves


@pytest.mark.parametrize("hz", [80.0, *VOICES.values(), 420.0])
@pytest.mark.parametrize("formants_hz", [(300.0, 2200.0), (700.0, 1200.0), (400.0, 800.0)])
def test_a_vowel_is_voiced_at_its_pitch(hz, formants_hz):
    features = hear(vowel(hz, formants_hz=formants_hz))
    assert features.shape == (3, VOICE_DIMS)
    assert features[:, 0].min() > 0.8
    assert pitch_hz(features) == pytest.approx(hz, rel=0.06)
    assert 1.8 < features[:, 2 : 2 + BINS].sum(dim=1).min() <= 2.0


@pytest.mark.parametrize("hz", VOICES.values())
def test_in_noise_the_pitch_stays_and_the_share_falls(hz):
    clear = vowel(hz)
    noisy = hear(clear + clear.square().mean().sqrt() * 10 * noise())
    assert pitch_hz(noisy) == pytest.approx(hz, rel=0.12)
    assert 0.05 < noisy[:, 0].mean() < 0.8 * hear(clear)[:, 0].mean()


def test_noise_and_a_whistle_are_hardly_voiced_and_silence_not_at_all():
    assert hear(noise())[:, 0].max() < 0.01
    whistle = torch.sin(2 * torch.pi * 1300 * torch.arange(2 * RATE_HZ) / RATE_HZ)
    assert hear(whistle)[:, 0].max() < 0.05
    assert not hear(torch.zeros(2 * RATE_HZ)).any()
    assert torch.isfinite(hear(torch.full((2 * RATE_HZ,), 0.5))).all()


def test_speech_glides_and_a_hum_does_not():
    assert hear(vowel(150, glide=0.5))[:, 1].mean() > 0.5
    assert hear(vowel(150))[:, 1].max() < 0.1


def test_a_short_throat_brightens_the_vowel():
    long, short = (hear(vowel(220, formants_hz=f)) for f in [(500.0, 1000.0), (900.0, 2000.0)])
    assert (short[:, -2:] > long[:, -2:] + 0.1).all()


def test_the_level_does_not_matter():
    sound = vowel(180, glide=0.4) + 0.3 * noise()
    torch.testing.assert_close(hear(sound / 100), hear(sound), atol=1e-4, rtol=0)


def test_chunks_do_not_matter(monkeypatch):
    sound = vowel(180, glide=0.4) + 0.3 * noise()
    whole = hear(sound)
    monkeypatch.setattr("auricle.model.voice.WINDOWS_PER_CHUNK", 7)
    torch.testing.assert_close(hear(sound), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("hop", [160, 480, HOP])
def test_a_patch_hears_what_lies_in_it_alone(hop):
    sound, voice = vowel(180, glide=0.4) + 0.1 * noise(), Voice(PATCH, hop)
    together = voice(sound[None])[0]
    assert len(together) == 1 + (len(sound) - PATCH) // hop
    for row in (0, 1, len(together) - 1):
        alone = Voice(PATCH, HOP if voice.step == 320 else 160)
        own = alone(sound[None, row * hop : row * hop + PATCH])[0, 0]
        torch.testing.assert_close(together[row], own, atol=1e-4, rtol=0)


# --- as the end of YAMNet's features ---------------------------------------------------------


@pytest.fixture(scope="module")
def models():
    """YAMNet without and with the voice, of the same weights."""
    without, with_voice = (Yamnet(YamnetConfig(scale="log-odds", voice=v)) for v in (False, True))
    with_voice.load_state_dict(without.state_dict())
    return without.eval(), with_voice.eval()


def test_the_voice_follows_the_scores_and_changes_nothing_else(models):
    without, with_voice = models
    sound = vowel(210)[None]
    plain, counts = without(sound, torch.tensor([sound.shape[1]]))
    both, same_counts = with_voice(sound, torch.tensor([sound.shape[1]]))
    assert torch.equal(counts, same_counts)
    assert both.shape[-1] == with_voice.dim == CLASSES + VOICE_DIMS
    assert with_voice.gives_log_odds
    assert with_voice.classes == without.classes == without.dim == CLASSES
    assert torch.equal(both[..., :CLASSES], plain)
    assert both[0, 0, CLASSES] > 0.8


@pytest.mark.parametrize("samples", [900, 15_600, 20_000, 32_000])
def test_a_clip_in_a_batch_is_as_alone(models, samples):
    encoder, sound = models[1], vowel(110, glide=0.3)[:samples]
    batch = torch.stack([torch.cat([sound, torch.ones(48_000 - samples)]), noise(3.0)])
    found, counts = encoder(batch, torch.tensor([samples, 48_000]))
    alone, _ = encoder(sound[None], torch.tensor([samples]))
    rows = int(counts[0])
    torch.testing.assert_close(found[0, :rows, CLASSES:], alone[0, :, CLASSES:], atol=1e-4, rtol=0)
    assert not found[0, rows:].any()
