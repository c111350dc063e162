"""Forbidden words: no caption holds one, however the vocabulary spells it."""

import re

import pytest
import torch

from auricle.decoding.candidates import find_hypotheses
from auricle.decoding.forbidden import forbidden_words
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.debug_decoder import read

TEXT = "a dog barks at the dogs in a doghouse Dog DOG, hotdog birds bird's"


@pytest.fixture(scope="module")
def tokenizer():
    return CaptionTokenizer.train([TEXT] * 3, 300)


def ruled_out(tokenizer, word, text, ids=None):
    """Which tokens are ruled out after ``text``, as they are written."""
    forbidden = forbidden_words((word,), tokenizer)
    scores = torch.zeros(1, tokenizer.vocab_size)
    ids = tokenizer.encode(text) if ids is None else ids
    forbidden.rule_out(scores, torch.tensor([ids], dtype=torch.long))
    return set(scores[0].isinf().nonzero().flatten().tolist())


def ids_of(tokenizer, *pieces):
    return {tokenizer._tokenizer.token_to_id(piece) for piece in pieces}


def test_every_spelling_is_ruled_out_at_its_last_token(tokenizer):
    after = ruled_out(tokenizer, "dog", "a")
    assert ids_of(tokenizer, "Ġdog") <= after
    assert not ids_of(tokenizer, "d", "Ġd", "Ġbarks") & after
    d, space = ids_of(tokenizer, "d").pop(), ids_of(tokenizer, "Ġ").pop()
    a, o, g = (ids_of(tokenizer, letter).pop() for letter in "aog")
    assert g in ruled_out(tokenizer, "dog", "", [a, space, d, o])
    assert g in ruled_out(tokenizer, "dog", "", [d, o])
    assert g in ruled_out(tokenizer, "DOG", "", [ids_of(tokenizer, "D").pop(), o])
    assert g not in ruled_out(tokenizer, "dog", "", [a, d, o])  # "adog" is another word
    assert g not in ruled_out(tokenizer, "dog", "", [d, d, o])


def test_phrases(tokenizer):
    dog = ids_of(tokenizer, "Ġdog").pop()
    assert dog in ruled_out(tokenizer, "a dog", "a")
    assert dog in ruled_out(tokenizer, "A  dog", "barks a")
    assert dog not in ruled_out(tokenizer, "a dog", "the")


@pytest.mark.parametrize("method", ["greedy", "nucleus", "beam", "diverse-beam"])
def test_no_caption_of_a_search_holds_it(model, memory, tokenizer, method):
    scorer = Scorer("bytes", model.decoder, tokenizer)
    cross = read(model, memory)
    options = DecodeOptions(method, candidates=8, temperature=2.0, max_length=20)
    before = [d.text for clip in find_hypotheses([scorer], [cross], options, 0) for d in clip]
    words = sorted({word.casefold() for text in before for word in text.split()}, key=len)[-6:]
    assert words
    options = DecodeOptions(
        method, candidates=8, temperature=2.0, max_length=20, forbidden_words=tuple(words)
    )
    after = [d for clip in find_hypotheses([scorer], [cross], options, 0) for d in clip]
    assert [hypothesis.text for hypothesis in after] != before
    for hypothesis in after:
        for text in (
            hypothesis.text,
            tokenizer.decode(hypothesis.ids),
        ):  # the latter as it was searched
            assert not set(words) & set(re.findall(r"\w+", text.casefold()))


def test_what_a_search_cannot_see_is_cut_out(tokenizer):
    forbidden = forbidden_words(("dog", "a bird"), tokenizer)
    assert forbidden.erase("A Dog barks at doghouse dogs DOG") == "A barks at doghouse dogs"
    assert forbidden.erase("a dog bird sings") == "sings"  # cutting makes a phrase anew


def test_letters_of_several_bytes(tokenizer):
    """Their tokens are no text of their own: the caption is cleaned at its end."""
    forbidden = forbidden_words(("개",), tokenizer)
    scores = torch.zeros(1, tokenizer.vocab_size)
    forbidden.rule_out(scores, torch.tensor([tokenizer.encode("개")[:-1]]))
    assert forbidden.erase("개 소리 개가") == "소리 개가"


def test_no_words_forbid_nothing(tokenizer):
    assert forbidden_words((), tokenizer) is None
    assert forbidden_words(("", " "), tokenizer) is None
