"""The client gives the records of the library, of the same recordings under the same settings."""

from __future__ import annotations

import subprocess
import sys

import httpx
import numpy as np
import pytest

import auricle
from auricle import client as module
from auricle.client import Client, Job
from auricle.errors import AudioError, ModelError, ServiceError, SeveralError
from tests.helpers.models import captioner_of
from tests.helpers.service import serving

KEY = "a-key-of-this-service"


@pytest.fixture(scope="module")
def captioner(bundle):
    return captioner_of(bundle)


@pytest.fixture(scope="module")
def url(captioner):
    with serving({"debug": captioner, "other": captioner}, max_upload_mb=1.0) as (address, _):
        yield address


@pytest.fixture
def client(url):
    with auricle.connect(url) as found:
        yield found


def test_one_recording_has_the_librarys_record(client, captioner, write_tone):
    path = write_tone("a.wav", 1.3)
    settings = {"seed": 4, "candidates": 7, "forbidden_words": ("dog",), "every_term": True}
    (caption,) = client.caption(path, **settings)
    assert [caption] == captioner.caption(path, **settings)
    assert caption.audio == str(path)
    assert len(caption.candidates) > 1
    assert client(str(path), max_duration_s=0.5) == captioner(str(path), max_duration_s=0.5)


def test_every_kind_of_source(client, captioner, write_tone, sounds):
    path = write_tone("a.flac", 1.1)
    with path.open("rb") as file:
        sources = [path.read_bytes(), file, {"bytes": path.read_bytes(), "path": "b.flac"}]
        sources += [(sounds[0], 16_000), {"array": sounds[1], "sampling_rate": 16_000}]
        alone = [client.caption(one)[0] for one in sources]  # a batch rounds otherwise
        assert alone == [captioner.caption(one)[0] for one in sources]
        together = client.caption(sources)
    assert [(one.audio, one.caption) for one in together] == [(o.audio, o.caption) for o in alone]
    array = (sounds[0] * 2**15).astype(np.int16)
    given = {"sampling_rate": 16_000}
    assert client.caption(array, **given) == captioner.caption(array, **given)
    with pytest.raises(AudioError, match="needs its sample rate"):
        client.caption(sounds[0])
    with pytest.raises(TypeError, match="one setting"):
        client.caption(sounds[0], sample_rate=1, sampling_rate=1)


def test_several_recordings_come_in_order_with_their_errors(client, write_tone, tmp_path):
    paths = [write_tone(f"{number}.wav", 0.3 + 0.1 * number) for number in range(5)]
    assert [one.audio for one in client.caption(iter(paths))] == [*map(str, paths)]
    (tmp_path / "text.wav").write_text("no sound")
    bad = [paths[0], tmp_path / "text.wav", tmp_path / "missing.wav", paths[1]]
    found = client.caption(bad, on_error="return")
    assert [type(one) for one in found] == [
        auricle.Caption,
        AudioError,
        AudioError,
        auricle.Caption,
    ]
    assert str(found[1]).startswith(f"{tmp_path / 'text.wav'}: not ")
    assert str(found[2]) == f"{tmp_path / 'missing.wav'}: no such file; check the path"
    with pytest.warns(UserWarning, match="left out: 2 of 4"):
        assert len(client.caption(bad, on_error="skip")) == 2
    with pytest.raises(SeveralError) as raised:
        client.caption(bad)
    assert [one is None for one in raised.value.captions] == [False, True, True, False]
    with pytest.raises(AudioError, match=r"text\.wav: "):
        client.caption(bad[1])
    with pytest.raises(ValueError, match="on_error='x'"):
        client.caption(bad, on_error="x")


def test_wrong_settings_and_large_recordings(client, write_tone):
    path = write_tone("a.wav")
    with pytest.raises(ModelError, match=r"temperature=-1\.0: must be above 0"):
        client.caption(path, temperature=-1)
    with pytest.raises(ModelError, match="no such model here; this service has debug, other"):
        client.caption(path, model="huge")
    with pytest.raises(ModelError, match="num_beams: there is no such field"):
        client.caption(path, num_beams=3)
    large = write_tone("large.wav", 80.0, channels=1)
    with pytest.raises(AudioError, match=r"large\.wav: the request is larger than 1 MB"):
        client.caption(large)


def test_a_timeline_is_the_librarys_also_through_a_job(client, captioner, write_tone, monkeypatch):
    path = write_tone("a.wav", 9.0, 8_000)
    settings = {"seed": 2, "max_duration_s": 3.0}
    expected = list(captioner.timeline(path, **settings))
    assert len(expected) > 1
    assert client.timeline(path, **settings) == expected
    monkeypatch.setattr(module, "LARGE_BYTES", 1000)
    told = []
    found = client.timeline(path, progress=lambda *report: told.append(report), **settings)
    assert found == expected
    assert told


def test_a_job_is_followed_and_found_again(client, captioner, write_tone):
    path = write_tone("a.wav", 3.0)
    job = client.job(path, ["caption", "picture"], model=["debug", "other"], words=True, seed=1)
    events = list(job.events())
    assert events[-1].kind == "end"
    captions = [event.value for event in events if event.kind == "caption"]
    assert captions == captioner.caption(path, seed=1) * 2
    result = job.result()
    assert result.captions == captions
    assert result.timeline == result.notes == []
    assert len(result.words) == 2
    assert result.picture["duration_s"] == 3.0
    assert job.status()["state"] == "done"
    assert "result" not in job.status()
    again = client.job_of(job.id)
    assert again.result().captions[0].caption == captions[0].caption
    again.cancel()
    with pytest.raises(ServiceError, match="there is no such job"):
        job.status()
    with pytest.raises(ServiceError, match="there is no such job"):
        list(job.events())


def test_a_job_that_fails_or_is_cancelled(client, tmp_path, write_tone):
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match=f"^{tmp_path}/text.wav: not "):
        client.job(tmp_path / "text.wav").result()
    jobs = [client.job(write_tone(f"{n}.wav", 20.0, 8_000)) for n in range(3)]
    jobs[-1].cancel()
    with pytest.raises(ServiceError, match="the job was cancelled"):
        jobs[-1].result()
    for job in jobs[:-1]:
        job.result()


def test_events_go_on_after_a_cut(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    asked = []

    def answer(request):
        asked.append(request.headers.get("Last-Event-ID"))
        number = len(asked)
        if number == 2:
            raise httpx.RemoteProtocolError("cut")
        kind = "end" if number == 4 else "note"
        return httpx.Response(200, text=f"id: {number}\nevent: {kind}\ndata: {number}\n\n")

    client = Client("http://a", None, 5.0, httpx.MockTransport(answer))
    job = Job(client._connection, "x", "a.wav")
    assert [event.value for event in job.events()] == [1, 3, 4]
    assert asked == [None, "1", "1", "3"]

    empty = httpx.MockTransport(lambda request: httpx.Response(200, text=""))
    job = Job(Client("http://a", None, 5.0, empty)._connection, "x", "a.wav")
    with pytest.raises(ServiceError, match=r"<Job x of a\.wav>: its events ended"):
        list(job.events())


def test_models_and_keys(captioner, client, monkeypatch):
    assert client.models() == ["debug", "other"]
    assert repr(client).startswith("<Client of http://127.0.0.1:")
    monkeypatch.delenv("AURICLE_API_KEY", raising=False)
    with serving({"debug": captioner}, api_keys=(KEY,)) as (url, _):
        with pytest.raises(ServiceError, match=r"wrong; give api_key=…"):
            auricle.connect(url).models()
        assert auricle.connect(url, KEY).models() == ["debug"]
        monkeypatch.setenv("AURICLE_API_KEY", KEY)
        assert auricle.connect(url).models() == ["debug"]


def test_the_client_leaves_torch_alone(url, write_tone):
    code = (
        f"import sys, auricle; auricle.connect({url!r}).caption({str(write_tone('a.wav'))!r});"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
