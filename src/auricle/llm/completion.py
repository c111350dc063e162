"""A chat completion, from a server or a batch's results: the answer in it, if it is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LONGEST_ANSWER = 4_000  # characters without thoughts; a caption or a judgement has some hundreds
MOST_TOKENS = 10_000_000  # a larger count is none

_THOUGHT = re.compile(
    r"\A(?:(?!<think).)*?</think(?:ing)?>"  # a chat template may hold the first mark
    r"|<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's text without its thoughts, and the billed tokens; None if the server does not
    count them."""

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class NoAnswer(Exception):  # noqa: N818  (no failure of the run)
    """A reply without an answer, and the reason in a few words."""


class Unusable(NoAnswer):
    """The same of a reply that is not worth another try."""


def read_completion(reply: Any) -> Answer:
    """The answer in ``reply``, the values of a chat completion's JSON; a refusal is one too.

    Raises:
        NoAnswer: there is none.
        Unusable: it is longer than `LONGEST_ANSWER`.
    """
    try:
        message = reply["choices"][0]["message"]
        text = message.get("content") or message.get("refusal") or ""
        usage = reply.get("usage")
    except (AttributeError, IndexError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise NoAnswer("no chat completion in the reply")
    text = whole_characters(without_thoughts(text))
    if len(text) > LONGEST_ANSWER:
        raise Unusable(f"an answer of more than {LONGEST_ANSWER:,} characters")
    usage = usage if isinstance(usage, dict) else {}
    prompt, completion = (usage.get(f"{name}_tokens") for name in ("prompt", "completion"))
    return Answer(text, _tokens(prompt), _tokens(completion))


def without_thoughts(text: str) -> str:
    """``text`` without what a model wrote between <think> and </think>."""
    return _THOUGHT.sub("", text)


def whole_characters(text: str) -> str:
    """``text`` with the replacement character for halves of characters, which no tokenizer or
    UTF-8 file takes."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


def _tokens(count: Any) -> int | None:
    return count if type(count) is int and 0 <= count <= MOST_TOKENS else None
