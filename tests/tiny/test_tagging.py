"""Captions cut into events, and tags inferred from them."""

import hashlib

import numpy as np
import pytest

from auricle.tiny import tagging
from auricle.tiny.ontology import Ontology
from auricle.tiny.tagging import CaptionTagger, phrases

NAMES = ("Speech", "Animal", "Dog", "Cat", "Rain", "Engine", "Bell", "Whistle")
WORDS = {
    "Speech": "a man speaks",
    "Dog": "a dog barks",
    "Cat": "a cat meows",
    "Rain": "rain falls",
    "Engine": "an engine idles",
    "Bell": "a bell rings",
}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man speaks", [("a man speaks", 0)]),
        ("A man speaks while rain falls.", [("a man speaks", 0), ("rain falls", 0)]),
        ("A dog barks followed by a cat", [("a dog barks", 0), ("a cat", 1)]),
        ("A dog barks, and then a man speaks", [("a dog barks", 0), ("a man speaks", 1)]),
        ("A bell rings before a man speaks", [("a bell rings", 0), ("a man speaks", 1)]),
        ("A man speaks after a bell rings", [("a man speaks", 1), ("a bell rings", 0)]),
        (
            "Rain falls as a dog barks then runs",
            [("rain falls", 0), ("a dog barks", 0), ("runs", 1)],
        ),
    ],
)
def test_phrases_are_the_events_in_the_order_told(caption, expected):
    assert [(phrase.text, phrase.order) for phrase in phrases(caption)] == expected


def test_what_is_far_is_faint():
    near, far = phrases("A man speaks and birds chirp in the distance")
    assert (near.faint, far.faint) == (False, True)


def test_a_joint_inside_a_word_does_not_cut():
    assert [p.text for p in phrases("A sandy beach")] == ["a sandy beach"]


def embed(texts):
    """Words hashed to random directions: texts that share words are similar."""
    rows = []
    for text in texts:
        row = np.zeros(64, dtype=np.float32)
        for word in text.lower().split():
            seed = int(hashlib.md5(word.encode()).hexdigest()[:8], 16)
            row += np.random.default_rng(seed).standard_normal(64).astype(np.float32)
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


def test_a_fitted_tagger_hears_what_a_new_caption_says(tmp_path, monkeypatch):
    monkeypatch.setattr(tagging, "CANDIDATES", len(NAMES) - 1)
    ontology = small_ontology(tmp_path)
    rng = np.random.default_rng(0)
    captions, targets = [], []
    for _ in range(300):
        chosen = rng.choice(list(WORDS), size=rng.integers(1, 3), replace=False)
        captions.append(" and ".join(WORDS[name] for name in chosen))
        targets.append([float(name in chosen) for name in NAMES])
    tagger = CaptionTagger(ontology, embed).fit(captions, np.array(targets, dtype=np.float32))
    found = tagger.predict(["rain falls as an engine idles loudly"])[0]
    assert found.shape == (len(NAMES),)
    assert set(np.argsort(-found)[:2]) == {NAMES.index("Rain"), NAMES.index("Engine")}
    assert found[NAMES.index("Dog")] < 0.2 < 0.5 < found[NAMES.index("Rain")]


def test_ontology_knows_kinds_and_merges_the_speakers_sex(tmp_path):
    ontology = small_ontology(tmp_path)
    dog, animal = ontology.index["Dog"], ontology.index["Animal"]
    assert ontology.ancestors[dog, animal]
    assert not ontology.ancestors[animal, dog]
    targets = ontology.targets(["/m/05zppz", "/m/4", "/m/unknown"])
    assert targets.tolist() == [1, 0, 0, 0, 1, 0, 0, 0]


def small_ontology(folder) -> Ontology:
    """NAMES with ids /m/0, /m/1, …; a dog and a cat are animals; Speech has AudioSet's own id."""
    mids = ["/m/09x0r", *(f"/m/{i}" for i in range(1, len(NAMES)))]
    rows = [f'{i},{mid},"{name}"' for i, (mid, name) in enumerate(zip(mids, NAMES, strict=True))]
    table = "\n".join(["index,mid,display_name", *rows])
    (folder / "class_labels_indices.csv").write_text(table)
    children = {"/m/1": ["/m/2", "/m/3"]}
    nodes = [{"id": mid, "child_ids": children.get(mid, [])} for mid in mids]
    (folder / "ontology.json").write_text(str(nodes).replace("'", '"'))
    return Ontology(NAMES, folder)
