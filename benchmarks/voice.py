"""How well pitch and voicing tell men, women and children: benchmarks/voice.py SPEECH.csv

SPEECH.csv has the columns file (beside it, or absolute), speaker and kind: man, woman or child; or
any other sound, such as "music", of which it only tells what is heard. Speech with named speakers:
Asterisk's prompts (scripts/tiny/fetch_sounds.sh), espeak-ng and flite. A logistic regression of
all other speakers judges each clip, in quiet and with background sounds of the project's shared
data folder, every second time in a room. Under 0.8 it would say "a person". Then come the
development clips, which nothing is fitted on, and the time that the voice adds to YAMNet.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.signal import fftconvolve
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from auricle.audio.load import load_audio
from auricle.model.config import YamnetConfig
from auricle.model.voice import BINS, HIGHEST_HZ, LOWEST_HZ, VOICE_DIMS, Voice
from auricle.model.yamnet import PATCH, SAMPLE_RATE_HZ, Yamnet

SHARED = Path(__file__).parents[2] / "shared" / "data"
WORDS = {
    "man": r"man|men|male|guy",
    "woman": r"woman|women|female|lady",
    "child": r"baby|infant|child|children|kid|girl|boy",
}
KINDS = sorted(WORDS)
LEVELS_DB = (None, 20, 10, 5, 0)  # of the voice above the background
BACKGROUNDS = r"rain|wind|engine|helicopter|vacuum|water|sea|train|crackling"
AGREE = 4  # of five people
SURE = 0.8
HEARD = 0.02  # voiced share from which a pitch is told
LONGEST_S = 4.0
HOP = round(YamnetConfig.hop_s * SAMPLE_RATE_HZ)


def read(path: Path, longest_s: float | None = None) -> np.ndarray:
    return load_audio(path, SAMPLE_RATE_HZ, end_s=longest_s).waveform


def hear(waveform: np.ndarray) -> np.ndarray:
    """The clip's mean of the patches, by their voiced share, which comes first: [12]."""
    patches = 1 + max(0, -(-(len(waveform) - PATCH) // HOP))
    waveform = np.pad(waveform, (0, PATCH + (patches - 1) * HOP - len(waveform)))
    rows = Voice(PATCH, HOP)(torch.from_numpy(waveform).float()[None])[0].numpy()
    share = rows[:, :1]
    return np.concatenate([[share.mean()], (rows * share).sum(0)[1:] / (share.sum() + 1e-6)])


def pitch_hz(heard: np.ndarray) -> float:
    bins = heard[2 : 2 + BINS]
    place = bins @ np.arange(BINS) / (bins.sum() + 1e-6) / (BINS - 1)
    return float(LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** place)


def degraded(
    waveform: np.ndarray, level_db: float | None, backgrounds: Sequence[np.ndarray], seed: int
) -> np.ndarray:
    """The clip in a room (every second seed), over a background."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        time_s = np.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
        room = 0.15 * rng.normal(size=len(time_s)) * 10 ** (-3 * time_s / rng.uniform(0.2, 0.8))
        room[0] = 1.0
        waveform = fftconvolve(waveform, room)[: len(waveform)]
    if level_db is None:
        return waveform
    noise = backgrounds[rng.integers(len(backgrounds))]
    noise = np.resize(np.roll(noise, rng.integers(len(noise))), len(waveform))
    gain = np.sqrt(np.mean(waveform**2) / (np.mean(noise**2) + 1e-12)) * 10 ** (-level_db / 20)
    return waveform + gain * noise


def fitted(heard: np.ndarray, kinds: np.ndarray, speakers: np.ndarray) -> Pipeline:
    """A regression in which every kind counts alike, and every speaker of a kind."""
    pairs = list(zip(kinds, speakers, strict=True))
    clips = {pair: pairs.count(pair) for pair in set(pairs)}
    of_kind = {kind: sum(k == kind for k, _ in clips) for kind in set(kinds)}
    weights = np.array([1.0 / clips[k, s] / of_kind[k] for k, s in pairs])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    weights *= len(pairs) / weights.sum()
    return model.fit(heard, kinds, logisticregression__sample_weight=weights)


def tell_speech(rows: Sequence[dict[str, str]], backgrounds: Sequence[np.ndarray]) -> Pipeline:
    """Print the decisions on every speaker; the regression of all of them."""
    kinds, speakers = (np.array([row[name] for row in rows]) for name in ("kind", "speaker"))
    clips = [read(Path(row["file"]), LONGEST_S) for row in rows]
    heard = np.array(
        [
            [hear(degraded(clip, level, backgrounds, seed)) for seed, clip in enumerate(clips)]
            for level in LEVELS_DB
        ]
    )  # [levels, clips, 12]
    levels = len(LEVELS_DB)
    odds = np.zeros((levels, len(rows), len(KINDS)))
    for speaker in set(speakers):
        others = speakers != speaker
        train = heard[:, others].reshape(-1, VOICE_DIMS)
        model = fitted(train, np.tile(kinds[others], levels), np.tile(speakers[others], levels))
        odds[:, ~others] = model.predict_proba(heard[:, ~others].reshape(-1, VOICE_DIMS)).reshape(
            levels, -1, len(KINDS)
        )
    chosen, sure = np.array(KINDS)[odds.argmax(-1)], odds.max(-1) >= SURE
    print(f"{'speaker':28}{'kind':7}{'clips':>5}  pitch   right/sure/wrong though sure, per level")
    for kind, speaker in sorted(set(zip(kinds, speakers, strict=True))):
        own = (kinds == kind) & (speakers == speaker)
        pitches = [pitch_hz(h) for h in heard[0, own] if h[0] > HEARD] or [0.0]
        cells = [
            f"{np.mean(chosen[i, own] == kind):.2f}/{np.mean(sure[i, own]):.2f}/"
            f"{np.mean(sure[i, own] & (chosen[i, own] != kind)):.2f}"
            for i in range(levels)
        ]
        print(f"{speaker[:27]:28}{kind:7}{own.sum():5}  {np.median(pitches):4.0f}   ", *cells)
    for i, level in enumerate(LEVELS_DB):
        adult = kinds != "child"
        swapped = adult & (chosen[i] != kinds) & (chosen[i] != "child")
        name = "quiet" if level is None else f"{level} dB"
        right = np.mean(
            [np.mean(chosen[i, speakers == s] == kinds[speakers == s]) for s in set(speakers)]
        )
        print(
            f"{name:>6}: right {right:.3f} (speakers alike); "
            f"man for woman or the reverse {swapped.sum() / adult.sum():.3f}, "
            f"though sure {(swapped & sure[i]).sum() / adult.sum():.3f}; "
            f"sure {np.mean(sure[i]):.2f}"
        )
    return fitted(heard.reshape(-1, VOICE_DIMS), np.tile(kinds, levels), np.tile(speakers, levels))


def tell_others(rows: Sequence[dict[str, str]], model: Pipeline) -> None:
    by_kind = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(hear(read(Path(row["file"]))))
    for kind, found in sorted(by_kind.items()):
        heard = np.stack(found)
        assert np.isfinite(heard).all()
        assert heard.max() <= 2.0
        share, glide = np.median(heard[:, :2], axis=0)
        voiced = np.mean(heard[:, 0] > HEARD)
        sure = np.mean((model.predict_proba(heard).max(1) > SURE) & (heard[:, 0] > HEARD))
        print(
            f"{kind:28}{len(heard):5} clips: voiced share {share:.2f}, above {HEARD} in "
            f"{voiced:.2f}; glide {glide:.2f}; would be sure of a person in {sure:.2f}"
        )


def tell_clips(folder: Path, model: Pipeline) -> None:
    """Print what is heard in the development clips with people, and how many are right."""
    right: dict[str, int] = defaultdict(int)
    for clip in json.loads((folder / "captions.json").read_text(encoding="utf-8")):
        named = {
            kind: sum(bool(re.search(rf"\b(?:{words})\b", c.lower())) for c in clip["captions"])
            for kind, words in WORDS.items()
        }
        if not any(named.values()):
            continue
        heard = hear(read(folder / clip["audio"]))
        odds = dict(zip(model.classes_, model.predict_proba(heard[None])[0], strict=True))
        best = max(odds, key=odds.__getitem__)
        agreed = [kind for kind, count in named.items() if count >= AGREE]
        verdict = "not agreed" if len(agreed) != 1 or sum(map(bool, named.values())) > 1 else "?"
        if verdict == "?":
            sure = odds[best] >= SURE and heard[0] > HEARD
            verdict = "a person" if not sure else "right" if best == agreed[0] else "WRONG"
        right[verdict] += 1
        print(
            f"{clip['audio'][-20:]:22}people {named}; voiced {heard[0]:.2f}, "
            f"{pitch_hz(heard):3.0f} Hz; {best} {odds[best]:.2f}: {verdict}"
        )
    print("development clips:", dict(right))


def tell_time() -> None:
    """Print the processor time of a 10 s clip without and with the voice, on one core."""
    torch.set_num_threads(1)
    clip, length = torch.randn(1, 160_000) * 0.1, torch.tensor([160_000])
    encoders = [Yamnet(YamnetConfig(voice=voice)).eval() for voice in (False, True)]
    best = [float("inf")] * 2
    with torch.inference_mode():
        for _ in range(20):
            for i, encoder in enumerate(encoders):
                start = time.process_time()
                encoder(clip, length)
                best[i] = min(best[i], time.process_time() - start)
    print(
        f"10 s: {best[0] * 1e3:.1f} ms, with voice {best[1] * 1e3:.1f}: x {best[1] / best[0]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", type=Path)
    parser.add_argument("--shared", type=Path, default=SHARED)
    arguments = parser.parse_args()
    with arguments.speech.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["file"] = str(arguments.speech.parent / row["file"])
    with (arguments.shared / "sounds" / "esc.csv").open(encoding="utf-8") as file:
        noises = [
            row["file"] for row in csv.DictReader(file) if re.search(BACKGROUNDS, row["label"])
        ]
    backgrounds = [read(arguments.shared / name) for name in noises[::5]]
    model = tell_speech([row for row in rows if row["kind"] in KINDS], backgrounds)
    tell_others([row for row in rows if row["kind"] not in KINDS], model)
    tell_clips(arguments.shared / "dev_clips", model)
    tell_time()


if __name__ == "__main__":
    main()
