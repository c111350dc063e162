"""A captioner without a model, for tests of the command line and processes that they start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, BinaryIO

from auricle.audio.live import LiveSound
from auricle.audio.load import AudioInput, load_audio
from auricle.audio.pipe import Pipe
from auricle.errors import AudioError, ModelError
from auricle.records import Candidate, Caption, LiveCaption
from auricle.timeline.options import TimelineOptions
from auricle.watch import Progress, silent

# Installs the stub and runs the program, in a process of its own.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
sys.path.insert(0, {root!r})
from tests.helpers.stub_captioner import install_stub
install_stub(sys.modules.__setitem__, pause_s={pause_s})
from auricle.cli import main
main()
"""


class StubCaptioner:
    settings: dict = {}  # noqa: RUF012  (what the last call was given)
    pause_s = 0.0
    precision, precision_reason = "bf16", "the stub likes it"

    @classmethod
    def from_pretrained(
        cls, name: str, device: str = "auto", precision: str = "float32"
    ) -> StubCaptioner:
        print("a library that prints")
        if name != "tiny":
            raise ModelError(f"{name}: no such model; there is only tiny")
        cls.settings = {"device": device, "precision": precision}
        return cls()

    def decoding(self, decode: str | None, **settings: object) -> SimpleNamespace:
        if settings["min_length"] == 40:
            raise ValueError("min_length=40: must be below max_length")
        type(self).settings |= {"decode": decode, **settings}
        return SimpleNamespace(options=SimpleNamespace(method=decode or "nucleus"))

    def speak(
        self,
        source: AudioInput,
        decoding: SimpleNamespace,
        *,
        on_note,
        allow_urls: bool,
        max_duration_s=None,
    ) -> Iterator[str]:
        assert decoding.options.method
        type(self).settings |= {"allow_urls": allow_urls}
        load_audio(source, 16_000, end_s=2.0)
        on_note(f"{source}: a note")
        yield from ("a tone,", " 삐")

    def listen(self, source: BinaryIO, *, raw, duration_s, on_note, **settings) -> StubLiveTimeline:
        type(self).settings |= {"raw": raw, **settings}
        return StubLiveTimeline(LiveSound(Pipe(source, raw), 16_000, duration_s, on_note))

    def stream(
        self,
        sources: Iterable[Any],
        decoding: SimpleNamespace,
        *,
        audio: Callable[[Any], AudioInput] | None = None,
        batch_size: int,
        allow_urls: bool = False,
        max_duration_s: float | None = None,
        progress: Any = None,
    ) -> Iterator[SimpleNamespace]:
        assert decoding.options.method
        type(self).settings |= {"batch_size": batch_size, "allow_urls": allow_urls}
        type(self).settings |= {"max_duration_s": max_duration_s}
        for source in sources:
            try:
                sound = audio(source) if audio else source
                recording = load_audio(sound, 16_000, end_s=2.0)
            except AudioError as error:
                heard = SimpleNamespace(note=None, recording=None)
                yield SimpleNamespace(heard=heard, caption=None, error=error)
                continue
            end_s, longer = recording.end_s, recording.duration_s > recording.end_s
            note = f"{recording.name}: captioned its first {end_s:.0f} s" if longer else None
            text = f"a tone of {end_s:.0f} s, 삐"
            candidate = Candidate(text, -1.0, 0.5, 0.05, True)
            caption = Caption(
                recording.name, 0.0, end_s, text, 0.05, (candidate,), "tiny", "nucleus", 0
            )
            heard = SimpleNamespace(note=note, recording=recording)
            yield SimpleNamespace(heard=heard, caption=caption, error=None)
            time.sleep(self.pause_s)

    def timeline(
        self,
        source: AudioInput,
        options: TimelineOptions | None = None,
        decoding: SimpleNamespace | None = None,
        *,
        batch_size: int = 8,
        allow_urls: bool = False,
        progress: Progress = silent,
    ) -> StubTimeline:
        assert decoding
        assert decoding.options.method
        type(self).settings |= {"options": options, "allow_urls": allow_urls}
        return StubTimeline(source, progress)


class StubTimeline:
    """A caption for every two seconds."""

    note = None

    def __init__(self, source: AudioInput, progress: Progress) -> None:
        self.sound, self._source = SimpleNamespace(heard_s=0.0, duration_s=0.0), source
        self._report = progress

    @property
    def progress(self) -> tuple[int, int]:
        return round(self.sound.heard_s), round(self.sound.duration_s)

    def __iter__(self) -> Iterator[Caption]:
        recording = load_audio(self._source, 16_000)
        self.sound.duration_s = recording.duration_s
        for start_s in range(0, int(recording.duration_s) - 1, 2):
            self.sound.heard_s = start_s + 2.0
            self._report("seconds heard", *self.progress)
            time.sleep(StubCaptioner.pause_s)
            yield Caption(
                *(recording.name, start_s, start_s + 2.0, "a tone of 2 s, 삐", 0.05, ()),
                *("tiny", "nucleus", 0),
            )

    def close(self) -> None:
        pass


class StubLiveTimeline:
    """A live timeline that says at the end how much it heard."""

    typical_latency_s = 0.0

    def __init__(self, sound: LiveSound) -> None:
        self.sound = sound

    def __iter__(self) -> Iterator[LiveCaption]:
        heard_s = sum(map(len, self.sound)) / 16_000
        text = f"a tone of {heard_s:.1f} s"
        yield LiveCaption(self.sound.name, 0.0, heard_s, text, 0.05, (), "tiny", "nucleus", 0)


def install_stub(set_module: Callable[[str, object], None], pause_s: float = 0.0) -> None:
    StubCaptioner.pause_s = pause_s
    set_module("auricle.pipeline", SimpleNamespace(Captioner=StubCaptioner))
