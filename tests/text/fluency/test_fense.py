"""The published FENSE detector, from a small random checkpoint in its format."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.errors import ModelError
from auricle.text.fluency import fense, load_detector

TEXTS = ["A man speaks, and birds chirp!", "a dog barks and", "rain"]
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a man speaks and birds chirp dog barks rain".split()


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    """What a BERT's page on the Hub has beside its weights."""
    from transformers import BertConfig

    folder = tmp_path_factory.mktemp("bert-debug")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(WORDS), intermediate_size=24, **sizes)
    config.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return folder


@pytest.fixture(scope="module")
def checkpoint(backbone, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("fense") / "look-alike.ckpt", contents(backbone))


def contents(backbone: Path) -> dict:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    encoder = BertModel(BertConfig.from_pretrained(backbone))
    state = {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    state["encoder.embeddings.position_ids"] = torch.arange(512)[None]  # as in the released ones
    state |= {"clf.weight": torch.randn(6, 16), "clf.bias": torch.randn(6)}
    return {"model_type": str(backbone), "num_classes": 6, "state_dict": state}


def write(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def by_hand(content: dict, backbone: Path) -> np.ndarray:
    """The published computation: no punctuation, padded to 64, first token, sigmoid."""
    from transformers import BertConfig, BertModel

    encoder = BertModel(BertConfig.from_pretrained(backbone)).eval()
    state = content["state_dict"]
    own = {k.removeprefix("encoder."): v for k, v in state.items() if k.startswith("encoder.")}
    del own["embeddings.position_ids"]
    encoder.load_state_dict(own)
    ids = [[2, 5, 6, 7, 8, 9, 10, 3], [2, 5, 11, 12, 8, 3], [2, 13, 3]]
    rows = torch.tensor([row + [0] * (64 - len(row)) for row in ids])
    with torch.no_grad():
        first = encoder(rows, attention_mask=(rows != 0).long()).last_hidden_state[:, 0]
        return torch.sigmoid(first @ state["clf.weight"].T + state["clf.bias"]).numpy()


def test_probabilities_are_those_of_the_published_computation(checkpoint, backbone):
    detector = load_detector(checkpoint, sha256=digest(checkpoint))
    assert (detector.name, detector.threshold) == ("FENSE look-alike.ckpt", 0.9)
    found = detector.probabilities(TEXTS * 20)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, np.tile(by_hand(contents(backbone), backbone), (20, 1)), atol=1e-5
    )
    np.testing.assert_array_equal(detector.error(TEXTS * 20), found[:, 5])
    assert detector.probabilities([]).shape == (0, 6)


def test_capitals_and_punctuation_make_no_difference(checkpoint):
    detector = load_detector(checkpoint, sha256=digest(checkpoint).upper())
    np.testing.assert_array_equal(
        detector.error(["a man speaks and birds chirp"]), detector.error(TEXTS[:1])
    )


def test_a_file_with_another_digest_is_not_opened(checkpoint, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(
        ModelError, match=f"SHA-256 is {digest(checkpoint)}, not that of a released"
    ):
        load_detector(checkpoint)
    with pytest.raises(ModelError, match="not 00ff"):
        load_detector(checkpoint, sha256="00ff")


def test_a_released_file_is_read_from_the_cache_and_checked(checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    place = tmp_path / "fense/echecker_clotho_audiocaps_tiny.ckpt"
    place.parent.mkdir()
    place.write_bytes(checkpoint.read_bytes())
    with pytest.raises(ModelError, match="SHA-256"):
        load_detector("fense-tiny")
    monkeypatch.setitem(fense.SHA256, "echecker_clotho_audiocaps_tiny", digest(checkpoint))
    assert load_detector("fense-tiny").name == "FENSE echecker_clotho_audiocaps_tiny"
    assert load_detector(place).name == "FENSE echecker_clotho_audiocaps_tiny"


def test_a_released_file_is_downloaded_from_its_address(checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "echecker_clotho_audiocaps_base.ckpt").write_bytes(checkpoint.read_bytes())
    monkeypatch.setattr(fense, "ADDRESS", tmp_path.as_uri())
    with pytest.raises(ModelError, match="SHA256 digest"):
        load_detector("fense-base")
    monkeypatch.setitem(fense.SHA256, "echecker_clotho_audiocaps_base", digest(checkpoint))
    assert load_detector("fense-base").name == "FENSE echecker_clotho_audiocaps_base"
    assert [path.name for path in (tmp_path / "cache/fense").iterdir()] == [
        "echecker_clotho_audiocaps_base.ckpt"
    ]


@pytest.mark.parametrize(("offline", "why"), [("", "No such file"), ("1", "this is offline")])
def test_without_a_network_it_says_what_to_fetch_and_where_to_put_it(
    offline, why, monkeypatch, tmp_path
):
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    monkeypatch.setenv("AURICLE_OFFLINE", offline)
    monkeypatch.setattr(fense, "ADDRESS", (tmp_path / "nowhere").as_uri())
    monkeypatch.setattr(fense, "PAUSE_S", 0.0)
    with pytest.raises(
        ModelError, match=f"{why}.*fetch .*echecker_clotho_audiocaps_base.* put it at {tmp_path}"
    ):
        load_detector("fense-base")


def test_a_bert_that_is_not_there_says_what_to_fetch(backbone, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = write(tmp_path / "x.ckpt", contents(backbone) | {"model_type": "someone/bert-debug"})
    with pytest.raises(ModelError, match=r"hf download.*someone/bert-debug.*vocab\.txt"):
        load_detector(path, sha256=digest(path))


class _Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_cannot_run_anything(tmp_path):
    mark = tmp_path / "ran"
    plain = tmp_path / "plain.ckpt"
    plain.write_bytes(pickle.dumps({"model_type": _Payload(mark)}, protocol=2))
    for path in (write(tmp_path / "bad.ckpt", {"model_type": _Payload(mark)}), plain):
        with pytest.raises(ModelError, match="not a checkpoint in FENSE's format"):
            load_detector(path, sha256=digest(path))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("model_type"), "FENSE's format"),
        (lambda c: c.update(num_classes=5), "has 5 classes"),
        (lambda c: c["state_dict"].pop("clf.bias"), r"do not fit.*clf\.bias"),
        (lambda c: c["state_dict"].update(more=torch.zeros(1)), "do not fit.*more"),
    ],
)
def test_another_content_is_named(change, message, backbone, tmp_path):
    content = contents(backbone)
    change(content)
    path = write(tmp_path / "other.ckpt", content)
    with pytest.raises(ModelError, match=message):
        load_detector(path, sha256=digest(path))
