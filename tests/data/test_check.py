"""The check against faults made on purpose: each is found, once, and nothing else is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.data.captions import CaptionLimits, faults
from auricle.data.check import Limits, check
from auricle.data.clip import Clip
from auricle.data.dropping import clean
from auricle.data.leaks import find_leaks, source_of
from auricle.data.manifest import read_manifest, write_manifest
from tests.helpers.paths import SHARED_DATA
from tests.helpers.skips import needs_shared_data
from tests.helpers.sounds import tone

RATE_HZ = 16_000


@pytest.fixture
def write_noise(tmp_path):
    """``write_noise(name, seed)``: noise of 2 s; the same seed, the same samples in any format."""

    def write(name: str, seed: int, duration_s: float = 2.0, gain: float = 0.1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).normal(0, gain, round(duration_s * RATE_HZ))
        # As integers: from floats libsndfile makes other ones for flac than for wav.
        soundfile.write(path, np.round(np.clip(noise, -1, 1) * 32767).astype(np.int16), RATE_HZ)
        return path

    return write


def report_of(tmp_path: Path, *clips: Clip, **options):
    path = tmp_path / "m.jsonl"
    write_manifest(path, clips)
    return check([path], **options)


def kinds(report) -> list[tuple[str, int]]:
    return [(finding.kind, finding.line) for finding in report.findings]


def test_a_sound_data_set_has_no_findings(tmp_path, write_noise):
    told = []
    clips = [
        Clip(write_noise(f"{n}.wav", n), (f"sound number {'n' * n}",), str(n), split)
        for n, split in enumerate(["train", "train", "val", "test"])
    ]
    report = report_of(tmp_path, *clips, progress=lambda *event: told.append(event), workers=2)
    assert report.findings == []
    assert (report.clips, report.captions, report.duration_s) == (4, 4, 8.0)
    assert report.fatal == 0
    assert told == [("clips", n, 4) for n in range(1, 5)]


def test_every_fault_of_audio(tmp_path, write_noise):
    def clip(path: Path, number: int, split: str = "train", **more) -> Clip:
        return Clip(path, ("a good caption",), str(number), split, **more)

    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    silent, faint = tmp_path / "silent.wav", tmp_path / "faint.wav"
    soundfile.write(silent, np.zeros(2 * RATE_HZ), RATE_HZ)
    soundfile.write(faint, tone(2.0) * 1e-4 + 0.2, RATE_HZ)  # an offset is no sound
    clipped = write_noise("clipped.wav", 1, gain=2.0)
    good = write_noise("good.wav", 2)
    copy = write_noise("copy.flac", 2)  # the same samples, packed in another way
    report = report_of(
        tmp_path,
        clip(bad, 1),
        clip(tmp_path / "gone.wav", 2),
        clip(silent, 3),
        clip(silent, 4, "test"),  # silence is no leak
        clip(faint, 5),
        clip(clipped, 6),
        clip(write_noise("short.wav", 3, 0.5), 7),
        clip(write_noise("long.wav", 4, 31.0), 8),
        clip(good, 9),
        clip(copy, 10),
        clip(good, 11, start_s=0.5),  # a section, so not a duplicate
        clip(good, 12, start_s=2.5),
        clip(write_noise("other.wav", 5), 1),
    )
    assert kinds(report) == [
        ("unreadable audio", 1),
        ("unreadable audio", 2),
        ("silent", 3),
        ("leak", 3),  # by its path: one file in two splits
        ("silent", 4),
        ("silent", 5),
        ("clipped", 6),
        ("too short", 7),
        ("too long", 8),
        ("duplicate audio", 10),
        ("unreadable audio", 12),
        ("duplicate id", 13),
    ]
    details = {finding.line: finding.detail for finding in report.findings}
    assert details[10] == "as 9 in train"
    assert "the section starts at 2.5 s" in details[12]
    assert report.fatal == 4


def test_a_file_that_is_cut_short(tmp_path, write_noise):
    path = write_noise("a.flac", 1, 4.0)
    clip = Clip(path, ("a good caption",), "1", "train")
    assert report_of(tmp_path, clip).findings == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    report = report_of(tmp_path, clip)
    assert kinds(report) == [("cut short", 1)]
    assert 1.5 < report.duration_s < 2.5


def test_every_fault_of_captions(tmp_path, write_noise):
    captions = ("A dog barks.", "", "a dog barks", "<b>Rain</b> falls", "Wind blows")
    report = report_of(
        tmp_path,
        Clip(write_noise("a.wav", 1), captions, "1", "train"),
        Clip(write_noise("b.wav", 2), (), "2", "train"),
    )
    assert [(item.kind, item.line, item.caption) for item in report.findings] == [
        ("empty caption", 1, 1),
        ("duplicate caption", 1, 2),
        ("broken caption", 1, 3),
        ("no caption", 2, None),
    ]


def test_leaks_by_source_samples_and_file(tmp_path, write_noise):
    def clip(name: str, seed: int, split: str, **more) -> Clip:
        path = write_noise(name, seed)
        return Clip(path, ("a good caption",), f"{split}/{name}", split, **more)

    report = report_of(
        tmp_path,
        clip("1.wav", 1, "development", source="freesound:66304"),
        clip("2.wav", 2, "validation", source="freesound:66304"),
        clip("3.wav", 3, "evaluation", source="freesound:66304"),
        clip("4.wav", 4, "train"),
        clip("5.flac", 4, "test"),
        clip("6.wav", 6, "train", end_s=1.0),
        clip("6.wav", 6, "test", start_s=1.0),
        clip("a/Same name.wav", 8, "train"),
        clip("b/same name.wav", 9, "test"),
        clip("c/rain.wav", 10, "train", source="freesound:1"),
        clip("d/rain.wav", 11, "test", source="freesound:2"),
        clip("train/ratnicOVtvk_30.wav", 12, "train"),
        clip("test/ratnicOVtvk_90.wav", 13, "test"),
    )
    found = [(item.kind, item.line, item.detail) for item in report.findings]
    assert found == [
        ("leak", 1, "the same source, freesound:66304, as evaluation/3.wav in evaluation"),
        ("leak", 2, "the same source, freesound:66304, as evaluation/3.wav in evaluation"),
        ("leak", 4, "the same samples, as test/5.flac in test"),
        ("leak", 6, "the same file, as test/6.wav in test"),
        ("same file name", 8, "as test/b/same name.wav in test"),
        (
            "leak",
            12,
            "the same source, youtube:ratnicOVtvk, as test/test/ratnicOVtvk_90.wav in test",
        ),
    ]


def test_leaks_across_manifests(tmp_path, write_noise):
    paths = [tmp_path / "x" / "train.jsonl", tmp_path / "y" / "test.jsonl"]
    for path in paths:
        audio = write_noise(f"{path.parent.name}/a.wav", 1)
        write_manifest(path, [Clip(audio, ("a caption",), path.stem, path.stem)])
    findings = check(paths).findings
    assert [(item.manifest, item.kind) for item in findings] == [(str(paths[0]), "leak")]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("1-100032-A.ogg", "freesound:100032"),
        ("4-234879-B-12.wav", "freesound:234879"),
        ("freesound_77-rain.wav", "freesound:77"),
        ("Y--0w1YA1Hm4_30.000_40.000.wav", "youtube:--0w1YA1Hm4"),
        ("recording_01.wav", None),
        ("rain.wav", None),
    ],
)
def test_sources_by_name(name, source):
    assert source_of(Clip(Path("x") / name, (), "1", "train")) == source


@pytest.mark.parametrize(
    "id",
    ["https://freesound.org/people/99/sounds/66304/", "freesound.org/s/66304", "freesound:66304"],
)
def test_sources_by_id(id):
    assert source_of(Clip(Path("a.wav"), (), id, "train")) == "freesound:66304"


def test_leaks_leave_no_key_in_two_splits():
    rng = np.random.default_rng(0)
    names = ["train", "val", "test", "more", "dev", "evaluation"]
    splits = {row: names[n] for row, n in enumerate(rng.integers(0, 6, 300))}
    keys = [(row, int(key)) for row, key in enumerate(rng.integers(0, 80, 300))]
    gone = {leak.row for leak in find_leaks(keys, splits)}
    canon = {"dev": "val", "evaluation": "test"}
    left: dict[int, set[str]] = {}
    for row, key in keys:
        if row not in gone:
            left.setdefault(key, set()).add(canon.get(splits[row], splits[row]))
    assert set(left) == {key for _, key in keys}
    assert all(len(sides) == 1 for sides in left.values())
    assert not any(splits[row] in ("test", "evaluation") for row in gone)
    assert gone


def test_clean_keeps_what_is_whole_and_lists_the_rest(tmp_path, write_noise):
    clips = [
        Clip(write_noise("a.wav", 1), ("A dog barks", "www.spam.com", "Rain"), "1", "train"),
        Clip(write_noise("b.wav", 2), ("", "Rain."), "2", "train", licence="CC0"),
        Clip(write_noise("c.wav", 2), ("Wind blows", ""), "3", "test"),
        Clip(write_noise("d.wav", 4), ("", " "), "4", "val"),
        Clip(write_noise("e.wav", 5), ("Birds sing", "Birds sing"), "5", "val"),
    ]
    manifest, out = tmp_path / "m.jsonl", tmp_path / "clean" / "m.jsonl"
    write_manifest(manifest, clips)
    with manifest.open("a") as file:
        file.write("{broken\n")
    done = clean([manifest], check([manifest]), out)
    kept = list(read_manifest(out))
    assert [(clip.id, clip.captions) for clip in kept] == [
        ("1", ("A dog barks",)),
        ("3", ("Wind blows",)),
        ("5", ("Birds sing", "Birds sing")),
    ]
    assert all(clip.audio.is_file() for clip in kept)
    assert (done.kept, done.rows, done.captions) == (3, 3, 3)
    lost = [json.loads(line) for line in done.dropped.read_text().splitlines()]
    assert [(row["row"], row.get("captions"), row.get("whole_row")) for row in lost] == [
        (f"{manifest}:1", ["www.spam.com", "Rain"], False),
        (f"{manifest}:2", ["", "Rain."], True),
        (f"{manifest}:3", [""], False),
        (f"{manifest}:4", ["", " "], True),
        (f"{manifest}:6", None, None),
    ]
    assert lost[1]["reasons"][0].startswith("empty caption")
    assert any(reason.startswith("leak: the same samples") for reason in lost[1]["reasons"])
    again = check([out])
    assert {item.kind for item in again.findings} == {"duplicate caption"}


@pytest.mark.parametrize(
    ("caption", "fault"),
    [
        (" ", "empty"),
        ("<b>rain</b> falls", "markup"),
        ("rain &amp; wind", "markup"),
        ("a train in the distance']}]", "markup"),
        ("hear it at https://a.b", "address or file name"),
        ("dog_barking.wav", "address or file name"),
        ("As an AI language model I have no ears", "talk of a language model"),
        ("Sure, here is a mix of both", "talk of a language model"),
        ("Caption 1: a dog barks", "talk of a language model"),
        ("a caf\N{REPLACEMENT CHARACTER} is busy", "broken characters"),
        ("birds\x00 sing", "broken characters"),
        ("a cafÃ© is busy", "broken characters"),
        ("12 34 5 !!", "hardly any letters"),
        ("Dog", "fewer than 2 words"),
        ("dog dog dog dog barks", "repetition"),
        ("a dog barks a dog barks", "repetition"),
        (", then ".join(["a man speaks loudly"] * 3), "repetition"),
        ("and ".join(["very long word "] * 30), "more than 60 words"),
    ],
)
def test_broken_captions(caption, fault):
    assert fault in list(faults(caption))


@pytest.mark.parametrize(
    "caption",
    [
        "A dog barks, and then it growls.",
        "Beep beep beep, then a girl talks",
        "An engine revs over and over and then stops",
        "A man yells “go, go, go!” & claps at 12 o'clock",
        "빗소리가 들린다",
        "雨の音",
    ],
)
def test_captions_of_people(caption):
    assert list(faults(caption)) == []


def test_caption_limits():
    assert list(faults("one two three", CaptionLimits(max_words=2))) == ["more than 2 words"]


@needs_shared_data
def test_the_captions_of_audiocaps_pass():
    table = SHARED_DATA / "captions" / "train.csv"
    with table.open(encoding="utf-8") as file:
        captions = [row["caption"] for row in csv.DictReader(file)][::10]
    named = [caption for caption in captions if any(faults(caption))]
    assert len(captions) == 4984
    assert len(named) <= 2


@needs_shared_data
def test_esc50_has_sounds_of_one_recording_in_two_folds(tmp_path):
    folder = SHARED_DATA / "sounds" / "esc"
    paths = sorted(folder.glob("*-2[03]*.ogg"))
    clips = [
        Clip(path, ("a sound",), path.stem, "test" if path.name.startswith("4-") else "train")
        for path in paths
    ]
    leaks = {(item.kind, item.id) for item in report_of(tmp_path, *clips).findings}
    assert leaks >= {("leak", "5-209698-A"), ("leak", "5-234879-A"), ("leak", "5-234879-B")}


def test_limits_are_options(tmp_path, write_noise):
    clip = Clip(write_noise("a.wav", 1), ("a good caption",), "1", "train")
    report = report_of(tmp_path, clip, limits=Limits(min_duration_s=3.0, max_duration_s=1.5))
    assert kinds(report) == [("too short", 1), ("too long", 1)]
