"""The cost of a language model's answers: tokens read and written, and their price."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.llm.client import Chat
from auricle.llm.completion import Answer

CHARACTERS_PER_TOKEN = 4.0  # OpenAI's rule of thumb for English text
MESSAGE_TOKENS = 8  # around the text of a chat of one message


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a million tokens, in any currency, as the provider lists it."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens read and written by the model."""

    prompt: float = 0
    completion: float = 0

    def cost(self, price: Price | None) -> float | None:
        """None where no price is known."""
        if price is None:
            return None
        return (self.prompt * price.prompt + self.completion * price.completion) / 1e6

    def plus(self, other: TokenCount, times: float = 1) -> TokenCount:
        return TokenCount(
            self.prompt + times * other.prompt, self.completion + times * other.completion
        )


def chat_tokens(chat: Chat) -> float:
    """Tokens of a chat, by rule of thumb."""
    return MESSAGE_TOKENS + sum(len(message["content"]) for message in chat) / CHARACTERS_PER_TOKEN


def billed(answer: Answer, chat: Chat) -> TokenCount:
    """Tokens as the server counted them, or by rule of thumb."""
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    return TokenCount(
        chat_tokens(chat) if prompt is None else prompt,
        len(answer.text) / CHARACTERS_PER_TOKEN if completion is None else completion,
    )
