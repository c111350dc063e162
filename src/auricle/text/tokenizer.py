"""Captions <-> token ids with the `tokenizers` library: BART's vocabulary or our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from auricle.errors import ModelError, in_one_line
from auricle.files import json_object, read_json, read_whole
from auricle.schema import shown

T = TypeVar("T")
FAILED = "the tokenizer of the model fails; put the one it was trained with into its folder"
MOST = 64 << 20  # bytes of a file; BART's has 1.4 million
MOST_TOKENS = 1_000_000
MOST_ADDED = 10_000
LONGEST_TOKEN = 512  # characters
MODELS = ("BPE", "WordPiece", "WordLevel", "Unigram")
MOST_PARTS = 32
MEMBERS = ("normalizers", "pretokenizers", "decoders", "processors")  # of a Sequence
SPACES = (r" {2,}", r"\s+")  # the regular expressions of published tokenizers that are harmless
PARTS = {
    "normalizer": {
        *("BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt"),
        *("Precompiled", "Prepend", "Replace", "Strip", "StripAccents"),
    },
    "pre_tokenizer": {
        *("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace"),
        *("Punctuation", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"),
    },
    "post_processor": {
        *("BertProcessing", "ByteLevel", "RobertaProcessing", "TemplateProcessing"),
    },
    "decoder": {
        *("BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace"),
        *("Strip", "WordPiece"),
    },
}
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
    def last_id(self) -> int:
        """The largest token id, which may be above `vocab_size` where ids have gaps."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values())

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
        failed = f"{folder}: the tokenizer files cannot be read"
        if whole.is_file():
            content = read_whole(whole, MOST)
            check_tokenizer(json_object(content, whole), whole)
            return cls(attempted(lambda: Tokenizer.from_buffer(content), failed))
        if vocab.is_file() and merges.is_file():
            read_whole(merges, MOST)
            check_tokenizer({"model": {"vocab": read_json(vocab, MOST)}}, vocab)
            tokenizer = _byte_level(
                attempted(lambda: models.BPE.from_file(str(vocab), str(merges)), failed)
            )
            tokenizer.add_special_tokens(SPECIAL)
            return cls(tokenizer)
        raise ModelError(
            f"{folder}: no tokenizer; expected tokenizer.json, or vocab.json and merges.txt "
            "(those of facebook/bart-base for the published model)"
        )

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json``."""
        self._tokenizer.save(str(Path(folder) / "tokenizer.json"))

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``, without special tokens."""
        tokenizer = self._tokenizer
        return attempted(lambda: tokenizer.encode(text, add_special_tokens=False).ids, FAILED)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids``, without special tokens."""
        tokenizer = self._tokenizer
        return attempted(lambda: tokenizer.decode(ids, skip_special_tokens=True), FAILED).strip()


def attempted(call: Callable[[], T], failed: str) -> T:
    """``call()`` of another library; whatever it raises is a ModelError that begins with
    ``failed``, because they promise nothing (tokenizers raises bare Exceptions, and panics of Rust,
    which are not even those)."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise ModelError(f"{failed} ({in_one_line(error)})") from error


def check_tokenizer(values: Mapping[str, Any], path: Path) -> None:
    """See that no part of a tokenizer.json makes a text much longer or searches it for ever.

    Raises ModelError: names the part that is unknown, or does so.
    """
    for section, known in PARTS.items():
        for part in _parts(values.get(section), section, path):
            if part.get("type") not in known:
                raise ModelError(
                    f"{path}: {section} {shown(part.get('type'))} is not one of those that auricle "
                    f"uses: {', '.join(sorted(known))}"
                )
            _check_pattern(part, f"{path}: {section} {part['type']}")
    model, added = values.get("model"), values.get("added_tokens") or []
    if not isinstance(model, Mapping) or model.get("type", "BPE") not in MODELS:
        raise ModelError(f"{path}: not a tokenizer; its model must be {', '.join(MODELS)}")
    if not isinstance(added, list) or len(added) > MOST_ADDED:
        raise ModelError(f"{path}: added_tokens must be a list of at most {MOST_ADDED:,}")
    for token, number in _tokens(model, added):
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
            raise ModelError(
                f"{path}: token {shown(token)} must be text of at most {LONGEST_TOKEN} characters"
            )
        if isinstance(number, bool) or number not in range(MOST_TOKENS):
            raise ModelError(
                f"{path}: token {shown(token)} has the id {shown(number)}, but must have a whole "
                f"number from 0 to {MOST_TOKENS - 1:,}"
            )


def _tokens(model: Mapping[str, Any], added: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Every token with its id, which in a Unigram model is its place; and the affixes."""
    vocab = model.get("vocab")
    if isinstance(vocab, Mapping):
        yield from vocab.items()
    for place, pair in enumerate(vocab if isinstance(vocab, list) else []):
        yield pair[0] if isinstance(pair, list) and pair else pair, place
    for token in added:
        yield (token.get("content"), token.get("id")) if isinstance(token, Mapping) else (token, 0)
    for key in ("continuing_subword_prefix", "end_of_word_suffix", "unk_token"):
        yield model.get(key) or "", 0


def _parts(part: Any, section: str, path: Path) -> list[Mapping[str, Any]]:
    """A part of a tokenizer; of a sequence, at any depth, its members."""
    found, left = [], [part] if part is not None else []
    while left:
        part = left.pop()
        if not isinstance(part, Mapping):
            raise ModelError(f"{path}: {section} is {shown(part)}, but must be an object")
        members = [part.get(key) for key in MEMBERS if part.get("type") == "Sequence"]
        lists = [member for member in members if isinstance(member, list)]
        if lists:
            left += lists[0]
        else:
            found.append(part)
        if len(found) + len(left) > MOST_PARTS:
            raise ModelError(f"{path}: {section} has over {MOST_PARTS} parts")
    return found


def _check_pattern(part: Mapping[str, Any], where: str) -> None:
    """What a part finds must be plain, and what it puts there no longer."""
    if len(str(part.get("prepend", ""))) > 8:
        raise ModelError(
            f"{where}: puts {shown(part['prepend'])} before a text; at most 8 characters"
        )
    if "pattern" not in part:
        return
    pattern = part["pattern"] if isinstance(part["pattern"], Mapping) else {}
    plain, regex = pattern.get("String"), pattern.get("Regex")
    if not (isinstance(plain, str) and plain) and regex not in SPACES:
        raise ModelError(f"{where}: finds {shown(part['pattern'])}; only plain text may be found")
    content = part.get("content", "")
    if not isinstance(content, str) or len(content) > len(plain or " "):
        raise ModelError(
            f"{where}: replaces {shown(plain or regex)} by the longer {shown(content)}; a text "
            "would grow without end"
        )


def _byte_level(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
