"""Forbidden words: no caption holds them, however the vocabulary spells them.

A token is ruled out if the text would then hold a forbidden word as a whole word, in any case. This
also rules out a longer word that the vocabulary spells through it: if "dogs" is "dog" + "s", a
forbidden "dog" forbids "dogs". A word that the search cannot see, such as one with a letter whose
bytes are several tokens, is cut out of the finished text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from auricle.text.tokenizer import CaptionTokenizer


@lru_cache(maxsize=8)
def forbidden_words(words: tuple[str, ...], tokenizer: CaptionTokenizer) -> ForbiddenWords | None:
    """The rules that forbid ``words`` (words or phrases) in a vocabulary; None without words."""
    folded = [" ".join(word.casefold().split()) for word in words]
    return ForbiddenWords([word for word in folded if word], tokenizer) if any(folded) else None


class ForbiddenWords:
    """Rules out tokens during search, and cuts words out of text; ``words`` are case folded."""

    def __init__(self, words: Sequence[str], tokenizer: CaptionTokenizer) -> None:
        self._words = words
        self._pieces, heads = _vocabulary(tokenizer)
        self._whole = re.compile("|".join(map(_as_whole_word, self._words)), re.IGNORECASE)
        self._always = [i for i, piece in enumerate(self._pieces) if self._holds_later(piece)]
        # End of the text so far -> the tokens that complete a word after it.
        self._ends: dict[str, list[int]] = {
            word[:cut]: [] for word in self._words for cut in range(len(word))
        }
        for word in self._words:
            for cut in range(len(word)):
                self._ends[word[:cut]] += heads.get(word[cut:], [])

    def rule_out(self, scores: Tensor, tokens: Tensor) -> None:
        """Set ``scores`` [R, V] of the token after ``tokens`` [R, t], without the start token, to
        -inf in place where the token would complete a forbidden word."""
        vocabulary = scores.shape[1]
        for row, ids in enumerate(tokens.tolist()):
            text = "".join(self._pieces[i] for i in ids if i < len(self._pieces))
            banned = [*self._always]
            for start, ends in self._ends.items():
                if _ends_with_word_start(text, start):
                    banned += ends
            banned = [i for i in banned if i < vocabulary]
            scores[row, torch.tensor(banned, dtype=torch.long, device=scores.device)] = -torch.inf

    def erase(self, text: str) -> str:
        """``text`` without the words."""
        while (shorter := " ".join(self._whole.sub(" ", text).split())) != text:
            text = shorter
        return text

    def _holds_later(self, piece: str) -> bool:
        """Whether a whole forbidden word starts after the first character of the piece."""
        return bool(self._words) and any(match.start() > 0 for match in self._whole.finditer(piece))


@lru_cache(maxsize=4)
def _vocabulary(tokenizer: CaptionTokenizer) -> tuple[list[str], dict[str, list[int]]]:
    """The text of every token, case folded, spaces kept; and from a text to the tokens that are it,
    or begin with it and then leave the word."""
    anchor = tokenizer.encode("a")[:1]
    before = len(tokenizer.decode(anchor))
    after = len(tokenizer.decode([*anchor, *anchor])) - before
    pieces: list[str] = []
    heads: dict[str, list[int]] = defaultdict(list)
    for i in range(tokenizer.vocab_size):
        # Decoded between two other tokens, because decoding strips the ends of a text.
        text = tokenizer.decode([*anchor, i, *anchor])
        piece = text[before : len(text) - after].casefold()
        pieces.append(piece)
        for end in range(1, len(piece) + 1):
            if end == len(piece) or not _in_word(piece[end]):
                heads[piece[:end]].append(i)
    return pieces, dict(heads)


def _ends_with_word_start(text: str, start: str) -> bool:
    before = len(text) - len(start)
    return text.endswith(start) and (before == 0 or not _in_word(text[before - 1]))


def _as_whole_word(word: str) -> str:
    return rf"(?<!\w){re.escape(word)}(?!\w)"


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
