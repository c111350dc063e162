"""Search over HTTP: results, filters, files by id alone, and what no answer tells."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import soundfile

from auricle.serve import sounds as module
from auricle.serve.problems import RequestError
from auricle.serve.sounds import Folders, Sounds
from tests.helpers.service import serving
from tests.helpers.toy_library import ToyLibrary, described, make_index, write_sound

CAPTIONER = SimpleNamespace(sample_rate_hz=16_000)


class Place:
    """A folder of sounds, an index of it, and a client of the service that has it."""

    def __init__(self, root: Path) -> None:
        self.root, self.index, self.sounds = root, root / "index", root / "sounds"
        self.gate = write_sound(self.sounds / "night" / "gate.wav", 3.0)
        self.rain = write_sound(self.sounds / "rain & <wind> 삐.flac")
        self.copy = self.sounds / "copy.wav"
        self.copy.write_bytes(self.gate.read_bytes())
        self.text = self.sounds / "not in the index.wav"
        self.text.write_bytes(self.gate.read_bytes())
        self.outside = write_sound(root / "secret.wav")
        self.link = self.sounds / "link.wav"
        self.link.symlink_to(self.outside)
        self.inner = self.sounds / "inner.wav"
        self.inner.symlink_to(self.gate)
        make_index(
            self.index,
            [self.sounds],
            {
                self.gate: [
                    described("a metal gate creaks", 0.0, 3.0),
                    described("a metal gate creaks", 0.0, 1.5, segment=True),
                    described("a gate slams", 1.5, 3.0, segment=True),
                ],
                self.rain: [described("rain falls on leaves", tags=("Rain", "Wind"))],
                self.link: [described("a hidden thing")],
                self.outside: [described("a zebra beyond")],
                self.inner: [described("an inner link")],
            },
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    found = Place(tmp_path_factory.mktemp("search"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Library", ToyLibrary)
        with (
            Sounds(found.index) as sounds,
            serving({"tiny": CAPTIONER}, sounds, max_upload_mb=1) as (url, _),
            httpx.Client(base_url=url, timeout=20) as client,
        ):
            found.client = client
            yield found


@pytest.fixture
def client(place) -> httpx.Client:
    return place.client


def found(client: httpx.Client, **query) -> list[dict]:
    answer = client.post("/v1/search", json=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def id_of(client: httpx.Client, name: str) -> int:
    answer = client.post("/v1/search", json={"text": "thing", "limit": 200})
    return next(one["id"] for one in answer.json()["results"] if one["audio"].endswith(name))


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_a_text_finds_its_sound_and_the_same_each_time(client):
    answer = client.post("/v1/search", json={"text": "rain on leaves", "limit": 1})
    body = answer.json()
    assert (body["model"], body["sounds"]) == ("toy", 7)
    (best,) = body["results"]
    assert best["caption"] == "rain falls on leaves"
    assert best["audio"] == "sounds/rain & <wind> 삐.flac"
    assert (best["tags"], best["media_type"]) == (["Rain", "Wind"], "audio/flac")
    assert best["words"] == 1.0
    assert best["likeness"] is None
    assert client.post("/v1/search", json={"text": "rain on leaves", "limit": 1}).json() == body


def test_more_like_a_sound_leaves_it_out(client):
    rain = id_of(client, "삐.flac")
    names = [one["audio"] for one in found(client, like=rain)]
    assert names
    assert "sounds/rain & <wind> 삐.flac" not in names


def test_a_part_of_a_long_recording_is_found_with_its_times(client):
    (best, *_) = found(client, text="a gate slams")
    assert (best["audio"], best["start_s"], best["end_s"]) == ("sounds/night/gate.wav", 1.5, 3.0)
    assert best["duration_s"] == 3.0


def test_filters(client):
    assert {one["audio"] for one in found(client, text="gate", folder="sounds/night")} == {
        "sounds/night/gate.wav"
    }
    assert {one["audio"] for one in found(client, text="rain", min_duration=2)} == {
        "sounds/night/gate.wav"
    }
    captions = [one["caption"] for one in found(client, text="gate", exclude=["metal gate"])]
    assert captions
    assert "a metal gate creaks" not in captions


def test_a_recording_that_is_sent(client, tmp_path):
    path = write_sound(tmp_path / "rain falls on leaves.wav")
    answer = client.post(
        "/v1/search",
        files=[("file", (path.name, path.read_bytes()))],
        data={"limit": "2", "folder": "sounds"},
    )
    first, _second = answer.json()["results"]
    assert first["caption"] == "rain falls on leaves"
    assert first["likeness"] > 0.9
    assert first["similarity"] is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "an empty query"),
        ({"text": "x" * 10_000}, "a query of 10,000 characters; 1,000 are the most"),
        ({"text": "no music"}, "only what is not wanted"),
        ({"text": "a", "limit": 201}, "limit: Input should be less than or equal to 200"),
        ({"text": "a", "limit": 0}, "limit: "),
        ({"text": "a", "min_duration": -1}, "min_duration: "),
        ({"text": "a", "folder": "elsewhere"}, "folder: 'elsewhere' is not indexed"),
        ({"text": "a", "folder": "sounds/../index"}, "folder: "),
        ({"text": "a", "folder": "/"}, "folder: "),
        ({"text": "a", "path": "/etc"}, "path: there is no such field"),
        ({"like": 2**63}, "like: "),
    ],
)
def test_what_cannot_be_searched_is_one_line(client, query, message):
    status, code, told = error_of(client.post("/v1/search", json=query))
    assert (status, code) == (422, "invalid_setting")
    assert told.startswith(message)
    assert "\n" not in told


def test_bodies_that_are_none(client, tmp_path):
    for body in (b"", b"{", b"[1]", b'{"text": "\\ud800"}', b"\xff", b"[" * 10_000):
        assert client.post("/v1/search", content=body).status_code == 422
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    files = [("file", (broken.name, broken.read_bytes()))]
    status, code, told = error_of(client.post("/v1/search", files=files))
    assert (status, code) == (422, "unusable_recording")
    assert told.startswith("broken.wav: ")
    assert error_of(client.post("/v1/search", files=files, data={"like": "1"}))[0] == 422
    assert client.post("/v1/search", files=[*files, *files]).status_code == 400
    like = error_of(client.post("/v1/search", json={"like": 999}))
    assert like[:2] == (404, "sound_not_found")


def test_a_sound_and_its_file(client, place):
    gate = id_of(client, "gate.wav")
    record = client.get(f"/v1/sounds/{gate}").json()
    assert record["audio"] == "sounds/night/gate.wav"
    answer = client.get(f"/v1/sounds/{gate}/audio")
    assert answer.status_code == 200
    assert answer.content == place.gate.read_bytes()
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["Content-Disposition"] == "inline; filename*=UTF-8''gate.wav"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rain = id_of(client, "삐.flac")
    answer = client.get(f"/v1/sounds/{rain}/audio", params={"download": True})
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''rain%20%26%20%3Cwind%3E%20%EC%82%90.flac"
    )


@pytest.mark.parametrize(
    ("wanted", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=10-", 206, (10, None)),
        ("bytes=-4", 206, (-4, None)),
        ("bytes=5-999999999", 206, (5, None)),
        ("bytes=-999999999", 206, (0, None)),
        ("bytes=9-3", 200, (0, None)),
        ("bytes=0-1,4-5", 200, (0, None)),
        ("seconds=0-1", 200, (0, None)),
        ("bytes=-", 200, (0, None)),
    ],
)
def test_ranges(client, place, wanted, status, span):
    whole = place.gate.read_bytes()
    address = f"/v1/sounds/{id_of(client, 'gate.wav')}/audio"
    answer = client.get(address, headers={"Range": wanted})
    assert answer.status_code == status
    assert answer.content == whole[slice(*span)]
    if status == 206:
        begin = range(len(whole))[span[0]]
        end = begin + len(answer.content) - 1
        assert answer.headers["Content-Range"] == f"bytes {begin}-{end}/{len(whole)}"


def test_a_range_behind_the_end(client):
    address = f"/v1/sounds/{id_of(client, 'gate.wav')}/audio"
    for wanted in ("bytes=999999999-", "bytes=-0"):
        answer = client.get(address, headers={"Range": wanted})
        assert error_of(answer)[:2] == (416, "range_behind_end")


def test_a_preview_is_the_part_alone(client):
    (best, *_) = found(client, text="a gate slams")
    answer = client.get(f"/v1/sounds/{best['id']}/preview")
    assert answer.headers["Content-Type"] == "audio/wav"
    samples, rate_hz = soundfile.read(io.BytesIO(answer.content))
    assert len(samples) / rate_hz == pytest.approx(1.5, abs=0.01)
    assert abs(samples).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["", "/audio", "/preview"])
@pytest.mark.parametrize("id", ["999", "0", "-1", "abc", "1.5", str(2**64), "..%2f..%2fetc", "%00"])
def test_no_other_id_is_answered(client, id, kind):
    answer = client.get(f"/v1/sounds/{id}{kind}")
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("kind", ["audio", "preview"])
def test_only_files_in_the_indexed_folders_are_served(client, place, kind):
    for name in ("link.wav", "secret.wav"):
        answer = client.get(f"/v1/sounds/{id_of(client, name)}/{kind}")
        assert error_of(answer)[:2] == (404, "file_gone"), name
    assert client.get(f"/v1/sounds/{id_of(client, 'inner.wav')}/{kind}").status_code == 200


@pytest.mark.parametrize("kind", ["audio", "preview"])
def test_a_file_that_is_gone_or_is_none(client, place, kind):
    address = f"/v1/sounds/{id_of(client, '삐.flac')}/{kind}"
    content = place.rain.read_bytes()
    place.rain.unlink()
    try:
        assert error_of(client.get(address))[:2] == (404, "file_gone")
        place.rain.mkdir()
        assert client.get(address).status_code == 404
        place.rain.rmdir()
        os.mkfifo(place.rain)
        assert client.get(address).status_code == 404  # and does not wait for it
        place.rain.unlink()
        place.rain.symlink_to(place.rain)
        assert client.get(address).status_code == 404
    finally:
        place.rain.unlink(missing_ok=True)
        place.rain.write_bytes(content)


def test_no_answer_tells_a_path_of_the_machine(client, place):
    gate = id_of(client, "gate.wav")
    answers = [
        client.get("/v1/index"),
        client.post("/v1/search", json={"text": "thing", "limit": 200}),
        client.post("/v1/search", json={"text": "thing", "folder": "none"}),
        *(client.get(f"/v1/sounds/{gate}{kind}") for kind in ("", "/audio", "/preview")),
        client.get(f"/v1/sounds/{id_of(client, 'link.wav')}/audio"),
        client.get(f"/v1/sounds/{id_of(client, 'secret.wav')}/preview"),
    ]
    for answer in answers:
        assert str(place.root) not in f"{answer.headers} {answer.content!r}"
    listed = client.get("/v1/index").json()
    assert listed == {"sounds": 7, "model": "toy", "folders": ["sounds"]}


def test_without_an_index_it_is_told(client, tmp_path):
    assert client.get("/v1/limits").json()["search"] is True
    with serving({"tiny": CAPTIONER}) as (url, _), httpx.Client(base_url=url) as other:
        assert other.get("/v1/limits").json()["search"] is False
        for answer in (
            other.get("/v1/index"),
            other.post("/v1/search", json={"text": "rain"}),
            other.get("/v1/sounds/1/audio"),
        ):
            assert error_of(answer)[:2] == (404, "no_index")


def test_an_index_that_changes_is_searched_as_it_is_now(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Library", ToyLibrary)
    folder, index = tmp_path / "sounds", tmp_path / "index"
    paths = [write_sound(folder / f"{name}.wav") for name in "abc"]
    make_index(index, [folder], {paths[0]: [described("a dog")]})
    with (
        Sounds(index) as sounds,
        serving({"tiny": CAPTIONER}, sounds) as (url, _),
        httpx.Client(base_url=url) as client,
    ):
        assert [one["caption"] for one in found(client, text="dog")] == ["a dog"]
        make_index(index, [folder], {paths[1]: [described("a big dog")]})
        assert [one["caption"] for one in found(client, text="big dog")] == ["a big dog", "a dog"]
        for path in index.iterdir():
            path.unlink()
        answer = client.post("/v1/search", json={"text": "dog"})
        assert error_of(answer)[:2] == (503, "index_unavailable")
        assert str(tmp_path) not in answer.text
        make_index(index, [folder], {paths[2]: [described("an owl")]})
        assert [one["caption"] for one in found(client, text="dog")] == ["an owl"]


def test_an_index_without_sounds(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Library", ToyLibrary)
    make_index(tmp_path, [tmp_path], {})
    with (
        Sounds(tmp_path) as sounds,
        serving({"tiny": CAPTIONER}, sounds) as (url, _),
        httpx.Client(base_url=url) as client,
    ):
        assert found(client, text="dog") == []


def test_names_of_folders_tell_them_apart():
    folders = Folders(["/a/x/sounds", "/b/x/sounds", "/c/field", "/c/field/deep", "/"])
    assert folders.names == {
        "a/x/sounds": "/a/x/sounds",
        "b/x/sounds": "/b/x/sounds",
        "field": "/c/field",
        "deep": "/c/field/deep",
        "files": "/",
    }
    assert folders.name_of("/c/field/deep/1.wav") == "deep/1.wav"
    assert folders.name_of("/c/field/2.wav") == "field/2.wav"
    assert folders.path_of("a/x/sounds/dogs") == "/a/x/sounds/dogs"
    with pytest.raises(RequestError, match="is not indexed"):
        folders.path_of("a/x/soundsandmore")
    assert Folders(["/c/field"]).name_of("/d/3.wav") == "3.wav"


def test_a_name_that_is_not_unicode_can_be_told():
    assert Folders([os.fsdecode(b"/s")]).name_of(os.fsdecode(b"/s/\xff.wav")) == "s/\\xff.wav"
