"""Transcriptions by OpenAI's own client: every format, streams, names of models, errors."""

from __future__ import annotations

import httpx
import numpy as np
import openai
import pysubs2
import pytest
import soundfile


def ask(served, path, **given):
    with path.open("rb") as file:
        return served.openai.audio.transcriptions.create(
            **{"file": file, "model": "whisper-1", **given}
        )


def test_json_and_text_are_the_caption_of_the_whole(served, two_sounds):
    (record,) = served.own(two_sounds, seed=3).json()
    assert ask(served, two_sounds, extra_body={"seed": 3}).text == record["caption"]
    text = ask(served, two_sounds, response_format="text", extra_body={"seed": "3"})
    assert text == record["caption"] + "\n"


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_are_those_of_the_timeline(served, two_sounds, kind):
    for fields in ({}, {"profile": "sdh", "preset": "bbc", "seed": 1}):
        found = ask(served, two_sounds, response_format=kind, extra_body=fields)
        assert found == served.own(two_sounds, "timeline", format=kind, **fields).text
        cues = pysubs2.SSAFile.from_string(found, kind)
        assert len(cues) == 2
        assert cues[0].start < cues[0].end <= cues[1].start


def test_verbose_json_has_true_values(served, two_sounds):
    found = ask(
        served,
        two_sounds,
        response_format="verbose_json",
        timestamp_granularities=["segment", "word"],
        language="en",
        prompt="dogs",
        temperature=0,
        include=["logprobs"],
        chunking_strategy="auto",
    )
    records = served.own(two_sounds, "timeline").json()
    assert [(one.start, one.end, one.text) for one in found.segments] == [
        (one["start_s"], one["end_s"], one["caption"]) for one in records
    ]
    assert found.text == ". ".join(one["caption"] for one in records)
    assert found.duration == 6.0
    assert found.language == "english"
    for number, (segment, record) in enumerate(zip(found.segments, records, strict=True)):
        likelihoods = {one["text"]: one["log_likelihood"] for one in record["candidates"]}
        assert segment.avg_logprob == likelihoods[segment.text]
        assert (segment.id, segment.seek) == (number, round(100 * segment.start))
        assert 0.5 < segment.compression_ratio < 1
        assert segment.no_speech_prob == 0
        assert segment.temperature == served.service.captioner().ensemble.decoding.temperature


def test_a_stream_gives_the_words(served, two_sounds):
    expected = ask(served, two_sounds).text
    events = list(ask(served, two_sounds, stream=True))
    assert [one.type for one in events[:-1]] == ["transcript.text.delta"] * len(expected.split())
    assert "".join(one.delta for one in events[:-1]) == expected
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", expected)


def test_names_of_models(served, two_sounds):
    for name in ("tiny", "other", "whisper-1", "gpt-4o-mini-transcribe", "gpt-4o-transcribe"):
        assert ask(served, two_sounds, model=name).text
    with pytest.raises(openai.NotFoundError) as raised:
        ask(served, two_sounds, model="llama")
    assert raised.value.code == "model_not_found"
    assert [one.id for one in served.openai.models.list()] == ["tiny", "other"]


def test_media_types(served, two_sounds):
    for kind, expected in (
        ("json", "application/json"),
        ("text", "text/plain; charset=utf-8"),
        ("srt", "application/x-subrip; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("verbose_json", "application/json"),
    ):
        answer = httpx.post(
            f"{served.url}/v1/audio/transcriptions",
            files={"file": two_sounds.read_bytes()},
            data={"response_format": kind, "something": "new"},
            headers={"Authorization": f"Bearer {served.openai.api_key}"},
        )
        assert (answer.status_code, answer.headers["content-type"]) == (200, expected)


def test_errors_have_the_shape_that_the_client_knows(served, two_sounds, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ask(served, tmp_path / "text.wav")
    assert raised.value.code == "unusable_recording"
    assert "text.wav: not " in raised.value.message
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ask(served, tmp_path / "text.wav", response_format="srt")
    assert raised.value.code == "unusable_recording"
    for fields, param in (
        ({"seed": -1}, "seed"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"hop": 0.1, "response_format": "srt"}, None),
        ({"temperature": -1}, None),
    ):
        with pytest.raises(openai.UnprocessableEntityError) as raised:
            ask(served, two_sounds, extra_body=fields)
        assert (raised.value.code, raised.value.param) == ("invalid_setting", param)
    wrong = served.openai.with_options(api_key="wrong")
    with pytest.raises(openai.AuthenticationError) as unknown:
        wrong.audio.transcriptions.create(file=two_sounds, model="tiny")
    assert unknown.value.code == "invalid_api_key"


def test_silence_has_no_subtitles(served, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000), 16_000)
    found = ask(served, tmp_path / "silence.wav", response_format="verbose_json")
    assert (found.text, found.segments, found.duration) == ("", [], 2.0)
    assert ask(served, tmp_path / "silence.wav").text == "no recognisable sound"
