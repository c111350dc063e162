"""Prompts: requests to a language model, with a version that every row records."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WORDS = 25  # published: mixes stay under it


@dataclass(frozen=True, slots=True)
class Prompt:
    """An ``instruction``, followed by the two captions. Another wording is another ``version``."""

    version: str
    instruction: str

    def messages(self, captions: tuple[str, str]) -> list[dict[str, str]]:
        """The chat to complete: one message, the instruction and each caption on a line."""
        lines = (self.instruction, *(" ".join(caption.split()) for caption in captions))
        return [{"role": "user", "content": "\n".join(lines)}]


# The instruction is the paper's (Wu et al., ICASSP 2024); the layout of the captions is ours.
PAPER = Prompt(
    "paper-1",
    "Generate a mix of the following two audio captions, and keep the generation under"
    f" {MAX_WORDS} words:",
)
