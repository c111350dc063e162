"""Clotho, AudioCaps and data sets of one's own, made small in their published formats."""

from __future__ import annotations

import builtins
import csv
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from auricle.data import clotho
from auricle.data.archive import _audio_members, extract_audio
from auricle.data.audiocaps import read_audiocaps
from auricle.data.clotho import SPLITS, read_clotho
from auricle.data.sound_folder import read_folder
from auricle.errors import DataError, MissingDependencyError
from auricle.extras import install_command
from tests.helpers.paths import SHARED_DATA
from tests.helpers.skips import needs_shared_data

METADATA = "file_name keywords sound_id sound_link start_end_samples manufacturer license".split()
BY = "http://creativecommons.org/licenses/by/3.0/"


def write_csv(path: Path, header: list[str], *rows: list[str], encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def small_clotho(tmp_path, write_tone):
    """Each split: a name with a comma, one in Latin-1, one with an HTML entity; in 7z archives."""
    py7zr = pytest.importorskip("py7zr")
    folder = tmp_path / "clotho"
    folder.mkdir()
    for number, split in enumerate(SPLITS):
        names = ["Rain, heavy.wav", "Café 01.wav", "It&#39;s a dog.wav"]
        with py7zr.SevenZipFile(folder / f"clotho_audio_{split}.7z", "w") as archive:
            for n, name in enumerate([names[0], names[1], "It's a dog.wav"]):
                tone = write_tone(f"sounds/{split}{n}.wav", 1.0 + 0.1 * number)
                archive.write(tone, f"{split}/{name}")
            archive.writestr("no audio", f"{split}/README.txt")
        captions = [[name, *(f"{name} {n}, {split} " for n in range(1, 6))] for name in names]
        header = ["file_name", *clotho.CAPTIONS]
        write_csv(folder / f"clotho_captions_{split}.csv", header, *captions)
        about = [
            [
                names[0],
                "rain;heavy",
                f"10{number}",
                "https://freesound.org/s/1",
                "[0, 9]",
                "Zoë",
                BY,
            ],
            [names[1], "", "Not found", "", "", "me", BY.replace("by", "by-nc")],
            [
                names[2],
                "dog",
                "77",
                "",
                "",
                "me",
                "http://creativecommons.org/publicdomain/zero/1.0/",
            ],
        ]
        table = folder / f"clotho_metadata_{split}.csv"
        write_csv(table, METADATA, *about, encoding="latin-1")
    return folder


def test_clotho_from_archives(small_clotho):
    told = []
    reading = read_clotho(small_clotho, progress=lambda *event: told.append(event))
    assert reading.left_out == []
    assert [clip.split for clip in reading.clips] == ["train"] * 3 + ["val"] * 3 + ["test"] * 3
    assert all(clip.audio.is_file() for clip in reading.clips)
    rain, cafe, dog = reading.clips[:3]
    assert rain.id == "clotho/development/Rain, heavy.wav"
    assert rain.captions == tuple(f"Rain, heavy.wav {n}, development" for n in range(1, 6))
    assert (rain.licence, rain.source) == ("CC BY 3.0", "freesound:100")
    assert rain.extra["author"] == "Zoë"
    assert rain.extra["keywords"] == ["rain", "heavy"]
    assert cafe.audio.name == "Café 01.wav"
    assert (cafe.licence, cafe.source) == ("CC BY-NC 3.0", None)
    assert dog.audio.name == "It's a dog.wav"
    assert (dog.licence, dog.source) == ("CC0 1.0", "freesound:77")
    assert {task for task, *_ in told} == {f"unpack clotho_audio_{split}.7z" for split in SPLITS}
    assert all(0 < done <= total for _, done, total in told)
    assert not [path for path in small_clotho.iterdir() if path.name.startswith(".")]


def test_clotho_unpacked_needs_no_archive(small_clotho, monkeypatch):
    before = read_clotho(small_clotho)
    monkeypatch.setattr(clotho, "extract_audio", lambda *_: pytest.fail("unpacked again"))
    assert read_clotho(small_clotho) == before
    for archive in small_clotho.glob("*.7z"):
        archive.unlink()
    (small_clotho / "validation").rename(small_clotho / "clotho_audio_validation")
    (small_clotho / "clotho_metadata_validation.csv").unlink()
    clip = read_clotho(small_clotho, ["validation"]).clips[0]
    assert clip.audio == small_clotho / "clotho_audio_validation" / "Rain, heavy.wav"
    assert (clip.licence, clip.source, clip.extra) == (None, None, {})


def test_clotho_unpacks_only_what_is_missing(small_clotho):
    archive, folder = small_clotho / "clotho_audio_development.7z", small_clotho / "development"
    killed = small_clotho / ".development.part"
    killed.mkdir()
    (killed / "half.wav").write_bytes(b"RIFF")
    assert extract_audio(archive, folder) == 3
    kept, lost = folder / "Café 01.wav", folder / "Rain, heavy.wav"
    inode = kept.stat().st_ino
    lost.unlink()
    assert extract_audio(archive, folder) == 1
    assert lost.is_file()
    assert kept.stat().st_ino == inode
    assert extract_audio(archive, folder) == 0
    assert not killed.exists()
    assert len(list(folder.iterdir())) == 3


def test_clotho_rows_without_a_recording_are_listed(small_clotho):
    read_clotho(small_clotho)
    (small_clotho / "clotho_audio_evaluation.7z").unlink()
    (small_clotho / "evaluation" / "Rain, heavy.wav").unlink()
    reading = read_clotho(small_clotho, ["evaluation"])
    assert len(reading.clips) == 2
    assert [(item.reason, item.detail) for item in reading.left_out] == [
        ("no recording", "Rain, heavy.wav")
    ]
    assert reading.left_out[0].where.endswith("clotho_captions_evaluation.csv:2")


def test_clotho_without_recordings_or_with_a_broken_archive(small_clotho):
    archive = small_clotho / "clotho_audio_validation.7z"
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_clotho(small_clotho, ["validation"])
    archive.unlink()
    with pytest.raises(DataError, match="no recordings of the split validation"):
        read_clotho(small_clotho, ["validation"])
    (small_clotho / "clotho_captions_validation.csv").unlink()
    with pytest.raises(DataError, match=r"clotho_captions_validation\.csv: no table"):
        read_clotho(small_clotho, ["validation"])


@pytest.mark.parametrize("place", [10, 60, 300])
def test_a_damaged_archive_leaves_nothing_behind(small_clotho, place):
    archive, folder = small_clotho / "clotho_audio_development.7z", small_clotho / "development"
    content = bytearray(archive.read_bytes())
    content[place] ^= 0x55
    archive.write_bytes(content)
    with pytest.raises(DataError, match="cannot be unpacked"):
        extract_audio(archive, folder)
    assert list(folder.iterdir()) == []
    assert not (small_clotho / ".development.part").exists()


def test_clotho_without_py7zr(small_clotho, monkeypatch):
    def no_py7zr(name, *arguments, real=builtins.__import__):
        if name.startswith("py7zr"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", no_py7zr)
    with pytest.raises(MissingDependencyError, match=re.escape(install_command("data"))):
        read_clotho(small_clotho)


def test_clotho_downloads_tables_first_and_no_archive_of_what_is_unpacked(
    tmp_path, monkeypatch, write_tone
):
    fetched = []

    def fake(url, path, md5, progress):
        assert url == f"https://zenodo.org/records/4783391/files/{path.name}?download=1"
        assert md5 == clotho.MD5[path.name]
        fetched.append(path.name)
        if "captions" in path.name:
            header = ",".join(["file_name", *clotho.CAPTIONS])
            path.write_text(f"{header}\na.wav,1,2,3,4,5\n")

    monkeypatch.setattr(clotho, "download", fake)
    write_tone("development/a.wav")
    clotho.download_clotho(tmp_path, ["development", "evaluation"])
    assert fetched == [
        "clotho_captions_development.csv",
        "clotho_metadata_development.csv",
        "clotho_captions_evaluation.csv",
        "clotho_metadata_evaluation.csv",
        "clotho_audio_evaluation.7z",
    ]
    assert len(clotho.MD5) == 9
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in clotho.MD5.values())


HEADER = ["audiocap_id", "youtube_id", "start_time", "caption"]
VIDEO = "Y_-abcdefg1"  # an id that itself begins with Y


@pytest.mark.parametrize(
    "name",
    [
        f"{VIDEO}.wav",
        f"Y{VIDEO}.flac",
        f"{VIDEO}_30.wav",
        f"{VIDEO}_30_40.ogg",
        f"{VIDEO}-30-40.wav",
        f"Y{VIDEO}_30.000_40.000.wav",
        f"{VIDEO}_30000_40000.flac",
        f"{VIDEO}_000030.wav",
        f"train/{VIDEO}.wav",
        f"any/where/Y{VIDEO}_30.wav",
    ],
)
def test_audiocaps_names(tmp_path, write_tone, name):
    table = write_csv(tmp_path / "train.csv", HEADER, ["1", VIDEO, "30", "A dog, barking"])
    path = write_tone(f"audio/{name}")
    write_tone("audio/abcdefghijk_30.wav")
    reading = read_audiocaps([table], tmp_path / "audio")
    assert reading.left_out == []
    (clip,) = reading.clips
    assert (clip.audio, clip.captions) == (path, ("A dog, barking",))
    assert (clip.id, clip.split) == (f"audiocaps/train/{VIDEO}_30", "train")
    assert (clip.source, clip.start_s) == (f"youtube:{VIDEO}", None)


def test_audiocaps_groups_captions_and_lists_what_has_no_recording(tmp_path, write_tone):
    rows = [["1", VIDEO, "30", f"caption {n}"] for n in range(5)]
    rows += [["6", VIDEO, "60", "another section"], ["7", "abcdefghijk", "0", "gone"]]
    table = write_csv(tmp_path / "audiocaps_val.csv", HEADER, *rows)
    write_tone(f"audio/{VIDEO}_30.wav")
    reading = read_audiocaps([table], tmp_path / "audio")
    assert [clip.captions for clip in reading.clips] == [tuple(f"caption {n}" for n in range(5))]
    assert reading.clips[0].split == "val"
    assert reading.reasons() == {
        "no recording of this section of the video": 1,
        "no recording": 1,
    }
    assert reading.left_out[1].where == f"{table}:8"


def test_audiocaps_takes_a_section_of_a_whole_video(tmp_path, write_tone):
    table = write_csv(tmp_path / "test.csv", HEADER, ["1", VIDEO, "3", "late in the video"])
    write_tone(f"audio/{VIDEO}.wav", 20.0, 8000)
    (clip,) = read_audiocaps([table], tmp_path / "audio").clips
    assert (clip.start_s, clip.end_s, clip.split) == (3.0, 13.0, "test")


def test_audiocaps_prefers_the_folder_of_the_split(tmp_path, write_tone):
    table = write_csv(tmp_path / "val.csv", HEADER, ["1", VIDEO, "3", "a"])
    write_tone(f"audio/train/{VIDEO}.wav")
    path = write_tone(f"audio/val/{VIDEO}.wav")
    assert read_audiocaps([table], tmp_path / "audio").clips[0].audio == path


def test_audiocaps_errors(tmp_path, write_tone):
    write_tone("audio/a.wav")
    table = write_csv(tmp_path / "captions.csv", HEADER, ["1", VIDEO, "3", "a"])
    with pytest.raises(DataError, match="contains no split"):
        read_audiocaps([table], tmp_path / "audio")
    assert read_audiocaps([table], tmp_path / "audio", "mine").left_out
    with pytest.raises(DataError, match="no folder with audio files"):
        read_audiocaps([table], tmp_path / "gone", "train")
    table = write_csv(tmp_path / "train.csv", HEADER, ["1", VIDEO, "3s", "a"])
    with pytest.raises(DataError, match=r"train\.csv:2: start_time is '3s'"):
        read_audiocaps([table], tmp_path / "audio")


@needs_shared_data
def test_audiocaps_real_validation_clips():
    audio = SHARED_DATA / "dev_clips" / "audio"
    reading = read_audiocaps([SHARED_DATA / "captions" / "val.csv"], audio)
    rows = list(csv.DictReader((SHARED_DATA / "captions" / "val.csv").open(encoding="utf-8")))
    assert len(reading.clips) == 39  # four of the 43 are not in the table
    assert all(len(clip.captions) == 5 for clip in reading.clips)
    assert 5 * len(reading.clips) + len(reading.left_out) == len(rows)


def test_folder_with_a_table_of_its_own(tmp_path, write_tone):
    one, two = write_tone("own/소리/one.wav"), write_tone("own/two.flac")
    spare = write_tone("own/spare.wav")
    write_csv(
        tmp_path / "own" / "captions.csv",
        ["audio", "caption", "split", "licence", "start_s"],
        ["소리/one.wav", "first", "test", "CC0", ""],
        ["소리/one.wav", "second", "test", "CC0", ""],
        ["two.flac", "third", "", "", "0.5"],
        ["gone.wav", "fourth", "", "", ""],
        ["two.flac", "", "", "", ""],
    )
    reading = read_folder(tmp_path / "own", split="val")
    first, third = reading.clips
    assert (first.audio, first.captions) == (one, ("first", "second"))
    assert (first.split, first.licence, first.id) == ("test", "CC0", "소리/one.wav")
    assert (third.audio, third.split, third.start_s) == (two, "val", 0.5)
    assert third.id == "two.flac@0.5"
    assert reading.reasons() == {"no recording": 1, "no caption": 1, "recording in no row": 1}
    assert reading.left_out[-1].where == str(spare)


@pytest.mark.parametrize(
    ("rows", "captions"),
    [
        ([{"audio": "a.wav", "caption": "x"}, {"audio": "a.wav", "caption": "y"}], ("x", "y")),
        ([{"audio": "a.wav", "captions": ["x", "y"]}], ("x", "y")),
        ([{"file_name": "a.wav", "caption_1": "x", "caption_2": "", "caption_3": "z"}], ("x", "z")),
    ],
)
def test_folder_json_lines(tmp_path, write_tone, rows, captions):
    path = write_tone("a.wav")
    table = tmp_path / "mine.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (clip,) = read_folder(captions=table).clips
    assert (clip.audio, clip.captions, clip.split) == (path, captions, "train")


def test_folder_errors(tmp_path, write_tone):
    write_tone("a.wav")
    with pytest.raises(DataError, match="must hold one table of captions"):
        read_folder(tmp_path)
    table = tmp_path / "captions.csv"
    write_csv(table, ["audio", "text"], ["a.wav", "x"])
    with pytest.raises(DataError, match=r"captions\.csv:2: has audio, text; it needs"):
        read_folder(tmp_path)
    write_csv(table, ["audio", "caption", "start_s"], ["a.wav", "x", "soon"])
    with pytest.raises(DataError, match=r'captions\.csv:2: "start_s" is \'soon\''):
        read_folder(tmp_path)
    write_csv(table, ["audio", "caption"], ["", "x"])
    with pytest.raises(DataError, match=r"captions\.csv:2: names no recording"):
        read_folder(tmp_path)
    with pytest.raises(DataError, match="neither a folder nor a table"):
        read_folder()


@pytest.fixture
def packed(tmp_path):
    """Packs files, {name: content}, into a 7z archive."""
    py7zr = pytest.importorskip("py7zr", reason="the extra auricle[data] is not installed")

    def pack(files):
        archive = tmp_path / "a.7z"
        with py7zr.SevenZipFile(archive, "w") as file:
            for name, content in files.items():
                file.writestr(content, name)
        return archive

    return pack


def test_members_of_one_name_do_not_overwrite_each_other(packed, tmp_path):
    archive = packed({"a/rain.wav": b"RIFF1", "b/rain.wav": b"RIFF2"})
    with pytest.raises(DataError, match=r"a/rain\.wav and b/rain\.wav would overwrite each other"):
        extract_audio(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@dataclass
class Entry:
    """A member of an archive, as py7zr lists it; it writes none that lies outside."""

    filename: str
    uncompressed: int = 9
    is_directory: bool = False
    is_symlink: bool = False


@pytest.mark.parametrize("name", ["../rain.wav", "a/../../rain.wav", "/rain.wav", "C:\\rain.wav"])
def test_members_outside_the_folder_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="would be written outside its folder"):
        _audio_members(tmp_path / "a.7z", [Entry(name)])


def test_a_link_in_an_archive_is_refused(tmp_path):
    py7zr = pytest.importorskip("py7zr", reason="the extra auricle[data] is not installed")
    (tmp_path / "b.txt").write_text("not for you")
    (tmp_path / "rain.wav").symlink_to("b.txt")
    archive = tmp_path / "a.7z"
    with py7zr.SevenZipFile(archive, "w") as file:
        file.write(tmp_path / "rain.wav", "rain.wav")
    with pytest.raises(DataError, match=r"rain\.wav is a link"):
        extract_audio(archive, tmp_path / "out")


def test_an_archive_larger_than_the_disk_is_not_unpacked(packed, tmp_path, monkeypatch):
    archive = packed({"rain.wav": bytes(1_000_000)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=999_999))
    with pytest.raises(DataError, match=r"0\.0 GB unpacked, but .* has room for"):
        extract_audio(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
