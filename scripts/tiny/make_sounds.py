"""Renders instruments (FluidR3 GM sound font, MIT) and speech: make_sounds.py SOUNDFONT OUT

Melodies are random walks on a major scale; the sentences are ours. Needs fluidsynth and espeak-ng.
"""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

SAMPLE_RATE_HZ = 16_000
BEATS = 18
TICKS = 480  # per beat
MAJOR = (0, 2, 4, 5, 7, 9, 11)
DRUM_CHANNEL = 9

# name -> General MIDI programs (from 0), lowest and highest note, whether it also plays chords
INSTRUMENTS = {
    "piano": ([0], 58, 84, True),
    "electric_piano": ([4], 58, 84, False),
    "acoustic_guitar": ([24, 25], 52, 76, True),
    "electric_guitar": ([27, 29], 52, 76, True),
    "organ": ([16, 19], 55, 79, True),
    "violin": ([40], 58, 84, False),
    "cello": ([42], 48, 64, False),
    "trumpet": ([56], 58, 79, False),
    "trombone": ([57], 48, 64, False),
    "flute": ([73], 62, 86, False),
    "saxophone": ([65, 66], 52, 76, False),
    "clarinet": ([71], 55, 79, False),
    "accordion": ([21], 55, 79, False),
    "harmonica": ([22], 60, 84, False),
    "glockenspiel": ([9], 65, 89, False),
    "vibraphone": ([11], 58, 84, False),
    "marimba": ([12, 13], 58, 84, False),
    "tubular_bells": ([14], 58, 77, False),
    "music_box": ([10], 65, 89, False),
    "banjo": ([105], 55, 79, False),
    "sitar": ([104], 52, 72, False),
    "harp": ([46], 52, 84, False),
    "timpani": ([47], 36, 50, False),
    "strings": ([48], 52, 79, True),
    "choir": ([52], 55, 74, True),
    "synth": ([80, 90], 58, 84, False),
    "bass": ([32, 33], 33, 50, False),
    "steelpan": ([114], 58, 84, False),
    "bagpipe": ([109], 58, 74, False),
    "harpsichord": ([6], 55, 84, False),
    "french_horn": ([60], 48, 67, False),
    "pizzicato": ([45], 55, 79, False),
}
BANDS = ((0, 33, 25), (27, 32, 48), (56, 33, 0), (73, 32, 24), (80, 38, 90))  # lead, bass, chords

# name -> espeak-ng voice, pitch, words per minute
VOICES = {
    "man_0": ("en-us+m1", 40, 150),
    "man_1": ("en-us+m3", 35, 165),
    "man_2": ("en-gb+m7", 45, 150),
    "man_3": ("en-us+m2", 50, 170),
    "woman_0": ("en-us+f2", 60, 160),
    "woman_1": ("en-us+f3", 65, 165),
    "woman_2": ("en-gb+f4", 70, 170),
    "child_0": ("en-us+f5", 95, 170),
    "child_1": ("en-us+f2", 99, 160),
}
SENTENCES = (
    "The weather today will be mostly cloudy with a chance of light rain in the evening.",
    "First you take the two ends and tie them together like this, and then pull it tight.",
    "I went to the market this morning and bought some apples, bread and cheese.",
    "Please listen carefully, because the next part of the story is very important.",
    "We are going to turn left at the next corner and stop in front of the station.",
)

Note = tuple[float, float, int, int]  # start and length in beats, MIDI note, velocity


def melody(rng: random.Random, low: int, high: int, chords: bool = False) -> list[Note]:
    notes: list[Note] = []
    beat, note = 0.0, rng.randint(low, high)
    while beat < BEATS:
        length = rng.choice([0.25, 0.5, 0.5, 1.0, 2.0])
        note = min(max(note + rng.choice([-4, -2, -1, 1, 2, 3, 5]), low), high)
        pitch = min((n for n in range(note - 6, note + 7) if n % 12 in MAJOR), key=_distance(note))
        notes.append((beat, length * 0.95, pitch, rng.randint(60, 114)))
        if chords:
            notes += [(beat, length, pitch + 4, 80), (beat, length, pitch + 7, 80)]
        beat += length
    return notes


def drum_beat() -> list[Note]:
    """Closed hi-hat on every eighth, bass drum and snare in turn, a crash every eight beats."""
    notes: list[Note] = []
    for eighth in range(BEATS * 2):
        hits = [(42, 80)] + [(36, 110)] * (eighth % 4 == 0) + [(38, 105)] * (eighth % 4 == 2)
        hits += [(49, 90)] * (eighth % 16 == 0)
        notes += [(eighth / 2, 0.2, drum, velocity) for drum, velocity in hits]
    return notes


def midi(tracks: list[tuple[int, int, list[Note]]], beats_per_minute: int) -> bytes:
    """(channel, program, notes) per track -> a standard MIDI file, format 1."""
    tempo = struct.pack(">I", 60_000_000 // beats_per_minute)[1:]
    chunks = [b"\x00\xff\x51\x03" + tempo]
    for channel, program, notes in tracks:
        events = [(0, bytes([0xC0 | channel, program]))]
        for start, length, note, velocity in notes:
            events.append((round(start * TICKS), bytes([0x90 | channel, note, velocity])))
            events.append((round((start + length) * TICKS), bytes([0x80 | channel, note, 0])))
        body, now = b"", 0
        for tick, event in sorted(events, key=lambda e: e[0]):
            body, now = body + _variable_length(tick - now) + event, tick
        chunks.append(body)
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(chunks), TICKS)
    ended = [chunk + b"\x00\xff\x2f\x00" for chunk in chunks]
    return header + b"".join(b"MTrk" + struct.pack(">I", len(c)) + c for c in ended)


def _distance(note: int):
    return lambda other: abs(other - note)


def _variable_length(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def main(soundfont: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    pieces: dict[str, list[tuple[int, int, list[Note]]]] = {}
    for name, (programs, low, high, chords) in INSTRUMENTS.items():
        for take in range(2):
            notes = melody(rng, low, high, chords and take == 1)
            pieces[f"{name}_{take}"] = [(0, programs[take % len(programs)], notes)]
    for take, programs in enumerate(BANDS):
        parts = [melody(rng, 60, 84), melody(rng, 36, 48), melody(rng, 55, 72, chords=True)]
        band = [(i, p, part) for i, (p, part) in enumerate(zip(programs, parts, strict=True))]
        pieces[f"band_{take}"] = [*band, (DRUM_CHANNEL, 0, drum_beat())]
    for take in range(2):
        pieces[f"drums_{take}"] = [(DRUM_CHANNEL, 0, drum_beat())]
    for name, tracks in pieces.items():
        score = out / "score.mid"
        score.write_bytes(midi(tracks, rng.randint(80, 140)))
        render = ["fluidsynth", "-ni", "-g", "0.6", "-r", str(SAMPLE_RATE_HZ)]
        wav = str(out / f"{name}.wav")
        subprocess.run([*render, "-F", wav, str(soundfont), str(score)], check=True)
        score.unlink()
    for take, (name, (voice, pitch, speed)) in enumerate(VOICES.items()):
        say = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed)]
        sentence = SENTENCES[take % len(SENTENCES)]
        subprocess.run([*say, "-w", str(out / f"{name}.wav"), sentence], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
