"""Event files as TensorBoard's own reader reads them."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.errors import AudioError
from auricle.extras import install_command
from auricle.training.monitor import Monitor, StepReport
from auricle.training.validation import ClipCaption, Validation

RATE = 16_000


def progress(step: int) -> StepReport:
    losses = {"nll": 3.0 / step, "info_nce": 1.0}
    return StepReport(step, 10, 1, losses, 1e-3 * step, 50.0, 0.02, 60.0)


def validation(count: int = 7) -> Validation:
    captions = tuple(
        ClipCaption(i, f"clip {i}.wav", Path(f"{i}.wav"), f"a dog {i}", ("a hound", "a dog barks"))
        for i in range(count)
    )
    recall = {"audio_to_text_r1": 0.25, "audio_to_text_r10": 0.75}
    return Validation(count, {"nll": 2.0, "loss": 2.5}, recall, captions, 0.4)


def read(folder: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder), {"scalars": 0, "audio": 0, "tensors": 0})
    return events.Reload()


def values(events, tag: str) -> dict[int, float]:
    return {event.step: pytest.approx(event.value) for event in events.Scalars(tag)}


def test_losses_rates_and_speed_of_every_step(tmp_path):
    pytest.importorskip("tensorboard")
    with Monitor(tmp_path) as monitor:
        for step in (1, 2, 3):
            monitor.step(progress(step))
    events = read(tmp_path)
    assert values(events, "training/nll") == {1: 3.0, 2: 1.5, 3: 1.0}
    assert values(events, "training/loss") == {1: 4.0, 2: 2.5, 3: 2.0}
    assert values(events, "training/learning_rate") == {1: 1e-3, 2: 2e-3, 3: 3e-3}
    assert values(events, "speed/clips_per_s")[2] == 50.0
    assert values(events, "speed/data_wait")[2] == 0.02


def test_validation_shows_values_captions_and_audio_once(tmp_path):
    pytest.importorskip("tensorboard")
    heard = []

    def recording(index: int) -> np.ndarray:
        heard.append(index)
        if index == 1:
            raise AudioError("1.wav: is gone")
        return np.full(RATE * 12, 1.5, dtype=np.float32)  # 12 s, beyond full scale

    with Monitor(tmp_path, recording=recording, sample_rate_hz=RATE) as monitor:
        monitor.validation(10, Validation(7, {"loss": 3.0}))  # nothing was captioned
        monitor.validation(20, validation())
        monitor.validation(30, validation())
    events = read(tmp_path)
    assert values(events, "validation/loss") == {10: 3.0, 20: 2.5, 30: 2.5}
    assert values(events, "validation/audio_to_text_r1") == {20: 0.25, 30: 0.25}
    assert values(events, "validation/cider_d") == {20: 0.4, 30: 0.4}
    texts = [tag for tag in events.Tags()["tensors"] if tag.startswith("captions/")]
    assert len(texts) == 5
    told = events.Tensors(texts[0])
    assert [event.step for event in told] == [20, 30]
    text = told[0].tensor_proto.string_val[0].decode()
    assert "**a dog 0**" in text
    assert "* a hound\n* a dog barks" in text
    assert heard == [0, 1, 2, 3, 4]
    assert len(events.Tags()["audio"]) == 4
    [audio] = events.Audio("audio/clip 0.wav")
    sound, rate = soundfile.read(io.BytesIO(audio.encoded_audio_string))
    assert (len(sound), rate, audio.step) == (10 * RATE, RATE, 20)
    assert sound.max() == pytest.approx(1.0, abs=1e-3)


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path):
    pytest.importorskip("tensorboard")
    with Monitor(tmp_path) as monitor:
        for step in (1, 2, 3, 4):
            monitor.step(progress(step))
    with Monitor(tmp_path) as monitor:
        for step in (3, 4):
            monitor._scalars(step, {"training/nll": 100.0 + step})
    assert values(read(tmp_path), "training/nll") == {1: 3.0, 2: 1.5, 3: 103.0, 4: 104.0}


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Monitor(None) as monitor:
        monitor.step(progress(1))
        monitor.validation(1, validation())
    assert list(tmp_path.iterdir()) == []


def test_without_tensorboard_it_says_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    notes = []
    with Monitor(tmp_path / "log", note=notes.append) as monitor:
        monitor.step(progress(1))
        monitor.validation(1, validation())
    assert len(notes) == 1
    assert install_command("train") in notes[0]


def test_a_full_disk_ends_the_log_and_not_the_run(tmp_path):
    pytest.importorskip("tensorboard")
    notes = []
    monitor = Monitor(tmp_path, note=notes.append)
    monitor.step(progress(1))
    writer = monitor._writer

    def full(*_):
        raise OSError(28, "No space left on device")

    writer.add_scalar = full
    monitor.step(progress(2))
    monitor.step(progress(3))
    monitor.close()
    writer.close()
    assert notes == ["curves are logged no more: [Errno 28] No space left on device"]
