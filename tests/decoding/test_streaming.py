"""Pieces of a caption as they are chosen are the whole caption."""

import pytest

from auricle.decoding.options import DecodeOptions
from auricle.decoding.search import decode
from auricle.decoding.steps import DecoderSteps
from auricle.decoding.streaming import stream_tokens
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.debug_decoder import read


@pytest.fixture(scope="module")
def cross(model, memory):
    return model.decoder, read(model, memory, slice(0, 1))


@pytest.mark.parametrize("method", ["greedy", "nucleus"])
@pytest.mark.parametrize("text", ["a dog barks", "개가 짖는 소리, 비"])
@pytest.mark.parametrize("seed", [0, 1])
def test_pieces_are_the_caption(cross, method, text, seed):
    """Random tokens of a vocabulary of bytes: many are parts of a character."""
    tokenizer = CaptionTokenizer.train([text], 300)
    options = DecodeOptions(method, candidates=1, temperature=2.0)
    pieces = list(stream_tokens(DecoderSteps(*cross), tokenizer, options, seed))
    whole = tokenizer.decode(decode(*cross, options, seed)[0][0].ids)
    assert "".join(pieces) == whole
    assert all(pieces)


def test_a_piece_is_given_before_the_next_token_is_chosen(cross):
    tokenizer = CaptionTokenizer.train(["a dog barks"], 300)
    steps, calls = DecoderSteps(*cross), []
    chosen = steps.next_logits
    steps.next_logits = lambda tokens: calls.append(1) or chosen(tokens)
    pieces = stream_tokens(steps, tokenizer, DecodeOptions("greedy"))
    next(pieces)
    first = len(calls)
    list(pieces)
    assert first < len(calls)


class Spelled:
    """A tokenizer whose tokens are the given bytes, 2 the end."""

    def __init__(self, *tokens):
        self.tokens = {i + 10: token for i, token in enumerate(tokens)}

    def decode(self, ids):
        text = b"".join(self.tokens.get(i, b"") for i in ids)
        return text.decode(errors="replace").strip()


def test_a_character_is_given_when_its_last_byte_is_there(monkeypatch):
    from types import SimpleNamespace

    from auricle.decoding import streaming

    word = "개".encode()
    tokenizer = Spelled(b"a ", word[:1], word[1:], b"!", word[:2])
    ids = [10, 11, 12, 13, 14, 2]
    monkeypatch.setattr(streaming, "draws", lambda *_: (SimpleNamespace(tokens=[i]) for i in ids))
    steps = SimpleNamespace(clips=1)
    pieces = list(stream_tokens(steps, tokenizer, DecodeOptions("greedy")))
    assert pieces == ["a", " 개", "!", "\ufffd"]


@pytest.mark.parametrize("method", ["beam", "diverse-beam"])
def test_beams_cannot_be_streamed(cross, method):
    with pytest.raises(ValueError, match="greedy or nucleus"):
        stream_tokens(DecoderSteps(*cross), None, DecodeOptions(method, candidates=4))


def test_one_clip_at_a_time(model, memory):
    steps = DecoderSteps(model.decoder, read(model, memory))
    with pytest.raises(ValueError, match="3 clips"):
        stream_tokens(steps, None, DecodeOptions("greedy"))
