"""Kinds of source: every accepted one is the same recording; the others are refused with a hint."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from auricle.audio.kinds import fetched, is_array, is_one, recognise, source_name
from auricle.audio.load import load_audio
from auricle.errors import AudioError
from tests.helpers.paths import EXAMPLES

RATE = 16_000
RAIN = EXAMPLES / "rain-and-thunder.ogg"


class Decoder:
    """The interface of torchcodec's AudioDecoder, as Hugging Face datasets extend it."""

    def __init__(self, samples, rate_hz, path=None):
        self._samples = SimpleNamespace(data=samples, sample_rate=rate_hz)
        self.metadata = SimpleNamespace(path=path)

    def get_all_samples(self):
        if self._samples.data is None:
            raise RuntimeError("Could not decode\nany frame")
        return self._samples


def test_rows_and_decoders_of_datasets_are_the_recording_that_they_hold():
    samples, rate_hz = soundfile.read(RAIN, dtype="float32")
    content = RAIN.read_bytes()
    channels = torch.from_numpy(samples)[None]  # [1, L]
    sources = {
        "a.ogg": {"path": "a.ogg", "array": samples, "sampling_rate": rate_hz},
        "b.ogg": {"bytes": content, "path": "b.ogg"},
        "c.ogg": Decoder(channels, rate_hz, "c.ogg"),
        "<array>": {"array": samples.tolist(), "sampling_rate": rate_hz, "path": None},
        "<bytes>": {"bytes": content, "path": None},
        "<audio>": Decoder(channels, rate_hz),
        str(RAIN): {"bytes": None, "path": str(RAIN)},
    }
    expected = load_audio(RAIN, RATE).waveform
    for name, source in sources.items():
        recording = load_audio(source, RATE)
        assert recording.name == name
        np.testing.assert_allclose(recording.waveform, expected, atol=1e-6)
    raw = load_audio({"raw": samples, "sampling_rate": rate_hz}, RATE)  # transformers
    np.testing.assert_allclose(raw.waveform, expected, atol=1e-6)
    for kind in (bytearray, memoryview):
        assert np.array_equal(load_audio(kind(content), RATE).waveform, expected)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.requires_grad_(),
        lambda x: x.double(),
        lambda x: x[None].repeat(2, 1),
        lambda x: x[:, None],
        lambda x: (x * 2**15).to(torch.int16),
        lambda x: x.bfloat16(),
    ],
)
def test_tensors_of_every_kind(convert):
    tensor = torch.linspace(-0.5, 0.5, RATE)
    waveform = load_audio((convert(tensor.clone()), RATE), RATE).waveform
    np.testing.assert_allclose(waveform, tensor.numpy(), atol=2e-3)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ({"text": "rain"}, '"array": …, "sampling_rate"'),
        ({"audio": {}, "text": "rain"}, 'give row["audio"]'),
        ({"array": np.zeros(RATE)}, "keys 'array'"),
        ({"array": np.zeros(RATE), "sampling_rate": RATE, "label": 1}, "'label'"),
        ({"bytes": None, "path": None}, "keys 'bytes', 'path'"),
        ({}, "keys none"),
        ([0.1, 0.2], "numpy.asarray(numbers)"),
        (5, "not an audio input"),
        (None, "not an audio input"),
        (np.zeros(RATE), "needs its sample rate"),
        (io.StringIO("rain"), "mode 'rb'"),
        ((torch.ones(RATE, dtype=torch.int64), RATE), "array of int64"),
        ((torch.ones(RATE, device="meta"), RATE), "not a numpy array"),
        (Decoder(None, RATE, "d.ogg"), "d.ogg: its decoder fails (Could not decode any frame)"),
        ("https://example.org/a.wav", "allow_urls=True"),
        (Path("HTTP://example.org/a.wav"), "allow_urls=True"),
        ({"bytes": None, "path": "http://example.org/a.wav"}, "allow_urls=True"),
    ],
)
def test_what_is_no_recording_is_refused_with_a_hint(source, hint):
    with pytest.raises(AudioError) as caught:
        load_audio(source, RATE)
    message = str(caught.value)
    assert hint in message
    assert "\n" not in message


def test_one_recording_is_told_from_several():
    array = np.zeros(3)
    one = ["a.wav", Path("a.wav"), b"RIFF", bytearray(b"RIFF"), io.BytesIO(), array, (array, RATE)]
    one += [torch.zeros(3), ([0.1, 0.2], RATE), {"array": array}, Decoder(array, RATE)]
    one += [[0.1, 0.2], 5, None, ()]  # no recording: one thing to refuse
    assert all(map(is_one, one))
    table = SimpleNamespace(shape=(2, 1), __iter__=None)  # a data set has a shape, but no dtype
    assert not is_array(table)
    several = [[], ["a.wav"], ("a.wav", "b.wav"), (Path("a"), array), {"a.wav"}, iter([array])]
    several += [np.array(["a.wav", "b.wav"]), [array, array], [(array, RATE)]]
    assert not any(map(is_one, several))


def test_only_addresses_are_fetched(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "auricle.fetch.recording.fetch_recording", lambda url: asked.append(url) or b"RIFF"
    )
    for source in ("a.wav", Path("https.wav"), b"http://", {"bytes": b"x", "path": "http://x/a"}):
        assert fetched(source) is source
    assert asked == []
    address = "https://example.org/a.wav"
    for source in (address, Path(address), {"bytes": None, "path": address}):
        assert fetched(source) == {"bytes": b"RIFF", "path": address}
        assert recognise(fetched(source)) == (address, b"RIFF")
    assert source_name(address) == address
