"""Make the example recordings again: ``python examples/make_examples.py [FOLDER]``.

Needs numpy, soundfile and soxr, the programs espeak-ng and fluidsynth, and the sound font FluidR3
(Debian: espeak-ng, fluidsynth, fluid-soundfont-gm). Each recording has a seed of its own, so
that one can be changed without the others.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile as sf
from synthesis import (
    RATE_HZ,
    Sound,
    band,
    burst,
    drift,
    fit,
    noise,
    place,
    play,
    ring,
    room,
    seconds,
    speak,
    tone,
)


def rain_and_thunder(rng: np.random.Generator) -> Sound:
    """A hiss under hundreds of single drops; two rolls of thunder, each a crack and a rumble."""
    rain = 0.25 * noise(rng, 10, band(1500, 9000, 1))
    for at_s in rng.uniform(0, 10, 1700):
        drop = ring([(rng.uniform(3000, 12000), 1, rng.uniform(0.0005, 0.002))], 0.02)
        place(rain, drop, at_s, rng.exponential(0.6))
    for start_s in (1.5, 6.0):
        rumble = burst(rng, 4.5, 1.5, band(30, 110)) * (0.25 + drift(rng, 4.5, 6))
        crack = burst(rng, 4.5, 0.35, band(60, 900, 1))
        place(rain, np.minimum(1, seconds(4.5) / 0.1) * (2 * rumble + 0.6 * crack), start_s)
    return rain


def strong_wind(rng: np.random.Generator) -> Sound:
    """Low noise in fast, uneven gusts; a little more treble while a gust is strong."""
    gust = 0.2 + drift(rng, 8, 20)
    return gust * noise(rng, 8, band(40, 200, 1.5)) + 0.15 * gust**2 * noise(rng, 8, band(400, 900))


def sea_waves(rng: np.random.Generator) -> Sound:
    """Noise that swells, breaks and draws back three times, over a steady low roar."""
    sea = 0.15 * noise(rng, 10, band(60, 500, 1))
    for break_s in (0.6, 4.4, 7.8):
        t = seconds(10) - break_s
        swell = np.exp(np.where(t < 0, t / 0.6, -t / 0.8))
        foam = noise(rng, 10, band(1500, 6000, 1))
        sea += swell * (noise(rng, 10, band(150, 1000, 1)) + 0.15 * foam)
    return sea


def birds_singing(rng: np.random.Generator) -> Sound:
    """Three birds, each repeating a phrase of five swept, fluttering whistles, over leaves."""
    birds = 0.01 * noise(rng, 8, band(300, 3000, 1))
    for first_s, level in ((0.2, 0.6), (0.7, 0.35), (1.2, 0.2)):
        phrase = rng.uniform((2800, -1800, 0.05), (6000, 1800, 0.14), (5, 3))
        at_s = first_s
        while at_s < 7:
            note_s = at_s
            for start_hz, sweep_hz, length_s in phrase:
                t = seconds(length_s)
                pitch_hz = start_hz + sweep_hz * t / length_s + 150 * np.sin(2 * np.pi * 45 * t)
                whistle = tone(pitch_hz, (1, 0.1)) * np.sin(np.pi * t / length_s) ** 0.7
                place(birds, whistle, note_s, level)
                note_s += length_s + 0.03
            at_s += rng.uniform(1.1, 2.2)
    return room(rng, birds, 1.0, 0.15)


def man_speaking(rng: np.random.Generator) -> Sound:
    """Two sentences by espeak-ng in a small room."""
    text = "Good evening. There will be rain in the north, and the wind will turn to the west."
    return room(rng, fit(speak(text, "en-us+m3"), 5), 0.4, 0.25)


def woman_speaking_then_applause(rng: np.random.Generator) -> Sound:
    """A sentence by espeak-ng, then the sound font's applause, rising over half a second."""
    speech = speak("Thank you all for coming, and good night.", "en-us+f3")
    hall = room(rng, fit(0.8 * speech, 8), 0.9, 0.3)
    applause = fit(play(126, [(0, 16, 60, 100)]).mean(axis=1), 5)
    place(hall, applause * np.minimum(1, seconds(5) / 0.5), len(speech) / RATE_HZ + 0.2)
    return hall


def knocking_then_man_speaking(rng: np.random.Generator) -> Sound:
    """Six knocks on a wooden door, a pause, and an answer by espeak-ng."""
    hall = 0.002 * noise(rng, 6, band(100, 3000, 1))
    wood = ((110, 0.6, 0.03), (240, 0.8, 0.02), (430, 0.8, 0.012), (760, 0.6, 0.008))
    for at_s in (0.3, 0.55, 0.8, 1.6, 1.85, 2.1):
        knock = burst(rng, 0.3, 0.04, band(120, 400))  # the panel, under the struck frame's ring
        place(knock, ring([(f * rng.uniform(0.98, 1.02), a, d) for f, a, d in wood], 0.3), 0, 0.6)
        place(hall, knock, at_s, rng.uniform(0.25, 0.35))
    place(hall, speak("Who is there? Please come in.", "en-us+m7"), 3.2, 0.8)
    return room(rng, hall, 0.35, 0.1)


def church_bells(rng: np.random.Generator) -> Sound:
    """Three bells in turn, with a bell's partials, each a close pair that beats."""
    partials = [  # ratio to the strike note: hum, prime, tierce, quint, nominal and above
        (0.5, 0.3, 6), (1, 0.4, 3), (1.2, 0.6, 2.2), (1.5, 0.3, 1.5), (2, 1, 1.8), (2.5, 0.5, 1.2),
        (2.67, 0.5, 1), (3, 0.6, 0.9), (4.1, 0.6, 0.6), (5.4, 0.5, 0.5), (6.8, 0.4, 0.3),
        (8.2, 0.3, 0.2),
    ]  # fmt: skip
    bells = np.zeros(len(seconds(9)))
    for strike, at_s in enumerate(np.arange(0.2, 8, 1.1)):
        note_hz = (520, 466, 415)[strike % 3]
        pairs = [(note_hz * r * beat, a, d) for r, a, d in partials for beat in (1, 1.004)]
        place(bells, ring(pairs, 8), at_s)
    return room(rng, bells, 2.5, 0.4)


def clock_ticking(rng: np.random.Generator) -> Sound:
    """Tick, tock: two double clicks of small metal parts a second, the second lower."""
    clock = 0.0003 * noise(rng, 6, band(100, 3000, 1))
    for beat, at_s in enumerate(np.arange(0.2, 6, 0.5)):
        pitch = (1.0, 0.86)[beat % 2]
        metal = [(3700 * pitch, 1, 0.006), (5300 * pitch, 0.8, 0.004), (7100 * pitch, 0.6, 0.003)]
        for delay_s, level in ((0, 0.4), (0.02, 0.6)):  # the lever falls, the wheel locks
            place(clock, ring(metal, 0.1), at_s + delay_s, level)
            place(clock, burst(rng, 0.03, 0.003, band(3000, 9000, 1)), at_s + delay_s, level)
    return clock


def telephone_ringing(rng: np.random.Generator) -> Sound:
    """A clapper between two gongs, 22 strikes a second; two rings of two seconds."""
    phone = np.zeros(len(seconds(6)))
    for start_s in (0.2, 3.4):
        for strike, at_s in enumerate(np.arange(0, 2, 1 / 22)):
            gong_hz = (1050, 1320)[strike % 2]
            gong = ring(
                [(gong_hz, 1, 0.25), (2.1 * gong_hz, 0.8, 0.2), (3.6 * gong_hz, 0.5, 0.1)], 1
            )
            place(phone, gong, start_s + at_s, rng.uniform(0.85, 1.15))
    return room(rng, phone, 0.5, 0.2)


def police_siren(rng: np.random.Generator) -> Sound:
    """A horn wailing between 600 and 1350 Hz every three seconds, coming nearer in a street."""
    t = seconds(9)
    wail_hz = 600 + 750 * np.sin(np.pi * t / 3.2) ** 2
    horn = (0.4 + 0.06 * t) * tone(wail_hz, (1, 0.7, 0.5, 0.25, 0.15))
    return room(rng, horn + 0.25 * noise(rng, 9, band(40, 250, 1)), 1.5, 0.4)


def helicopter(rng: np.random.Generator) -> Sound:
    """Rotor blades chopping low noise fourteen times a second, and a faint turbine."""
    chop = np.cos(np.pi * 14 * seconds(8)) ** 8
    blades = (0.6 + chop) * noise(rng, 8, band(40, 300, 1))
    return blades + 0.1 * (0.7 + 0.3 * chop) * noise(rng, 8, band(400, 3000, 1))


def guitar(rng: np.random.Generator) -> Sound:
    """Four picked chords of our own on the sound font's nylon guitar, in stereo."""
    chords = (
        (40, 47, 52, 55, 59, 64), (45, 52, 57, 60, 64), (43, 47, 50, 55, 59, 67), (50, 57, 62, 66),
    )  # fmt: skip
    notes = [
        (4 * bar + step / 2, 1.5, chord[2 * step % len(chord)], 90 + int(rng.integers(-8, 8)))
        for bar, chord in enumerate(chords)
        for step in range(8)
    ]
    return fit(play(24, notes), 9)


def white_noise(rng: np.random.Generator) -> Sound:
    """Nothing but noise: a captioner should not hear more in it."""
    return noise(rng, 5, np.ones_like)


RECORDINGS = {  # name -> (how it is made, seed, peak level)
    "rain-and-thunder.ogg": (rain_and_thunder, 1, 0.8),
    "strong-wind.ogg": (strong_wind, 2, 0.7),
    "sea-waves.ogg": (sea_waves, 1, 0.7),
    "birds-singing.ogg": (birds_singing, 1, 0.6),
    "man-speaking.mp3": (man_speaking, 1, 0.7),
    "woman-speaking-then-applause.ogg": (woman_speaking_then_applause, 1, 0.7),
    "knocking-then-man-speaking.ogg": (knocking_then_man_speaking, 1, 0.7),
    "church-bells.ogg": (church_bells, 1, 0.7),
    "clock-ticking.flac": (clock_ticking, 1, 0.7),
    "telephone-ringing.wav": (telephone_ringing, 1, 0.6),
    "police-siren.ogg": (police_siren, 1, 0.7),
    "helicopter.ogg": (helicopter, 1, 0.7),
    "guitar.ogg": (guitar, 1, 0.7),
    "white-noise.ogg": (white_noise, 1, 0.25),
}


def main(folder: Path) -> None:
    for name, (make, seed, peak) in RECORDINGS.items():
        sound = make(np.random.default_rng(seed))
        sf.write(folder / name, peak * sound / np.abs(sound).max(), RATE_HZ)
        print(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
