"""Captions <-> token ids with the `tokenizers` library: BART's vocabulary or our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from auricle.errors import ModelError

SPECIAL = [BOS, PAD, EOS, UNK] = ["<s>", "<pad>", "</s>", "<unk>"]  # BART's, in its id order


class CaptionTokenizer:
    """Byte-level BPE. Captions have no special tokens; decoding starts and ends with ``</s>``."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        ids = {name: tokenizer.token_to_id(name) for name in (PAD, EOS)}
        if None in ids.values():
            raise ModelError(f"the tokenizer lacks {PAD} or {EOS}; both are needed for decoding")
        self.pad_id, self.eos_id = ids[PAD], ids[EOS]

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.get_vocab_size()

    @classmethod
    def train(cls, captions: Iterable[str], vocab_size: int) -> CaptionTokenizer:
        """Train a byte-level BPE of ``vocab_size`` tokens, with the special tokens."""
        tokenizer = _byte_level(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(captions, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, folder: str | Path) -> CaptionTokenizer:
        """Load ``tokenizer.json``, or BART's ``vocab.json`` and ``merges.txt``.

        Raises:
            ModelError: the folder has neither, or they cannot be read.
        """
        folder = Path(folder)
        whole, vocab, merges = (folder / n for n in ("tokenizer.json", "vocab.json", "merges.txt"))
        try:
            if whole.is_file():
                return cls(Tokenizer.from_file(str(whole)))
            if vocab.is_file() and merges.is_file():
                tokenizer = _byte_level(models.BPE.from_file(str(vocab), str(merges)))
                tokenizer.add_special_tokens(SPECIAL)
                return cls(tokenizer)
        except ModelError:
            raise
        except Exception as error:  # tokenizers raises bare Exceptions
            raise ModelError(f"{folder}: the tokenizer files cannot be read: {error}") from error
        raise ModelError(
            f"{folder}: no tokenizer; expected tokenizer.json, or vocab.json and merges.txt "
            "(those of facebook/bart-base for the published model)"
        )

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json``."""
        self._tokenizer.save(str(Path(folder) / "tokenizer.json"))

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``, without special tokens."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids``, without special tokens."""
        return self._tokenizer.decode(ids, skip_special_tokens=True).strip()


def _byte_level(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
