"""spice-py: synonyms, scene graphs, what captions become, and how near it is to SPICE."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from auricle.errors import MissingDependencyError
from auricle.extras import install_command
from auricle.metrics.scores import MissingMetricError
from auricle.metrics.spice import parsing, spice_py
from auricle.metrics.spice.graph import Match, SceneGraph
from auricle.metrics.spice.parsing import Tree
from auricle.metrics.spice.relations import Relations
from auricle.metrics.spice.tuples import read_tuples
from auricle.metrics.spice.wordnet import Synonyms
from tests.helpers.skips import skipped_if_missing

# A little WordNet: car and machine share a sense, and so do machine and device.
SYNSETS = {
    "car": {1},
    "automobile": {1},
    "machine": {1, 2, 3},
    "device": {2, 3},
    "loud": {5},
    "noisy": {5},
    "bark": {7, 8},
    "yap": {8},
}


def synsets(word: str) -> frozenset[int]:
    return frozenset(SYNSETS.get(word, ()))


def graph(*tuples: tuple[str, ...]) -> SceneGraph:
    return SceneGraph(tuples, synsets)


def texts(found: SceneGraph) -> set[str]:
    return {" ".join("/".join(sorted(part.words)) for part in parts) for parts in found.tuples()}


# Graphs.


def test_synonymous_objects_are_one_with_the_attributes_of_both():
    found = graph(("car",), ("car", "loud"), ("automobile", "noisy"), ("automobile", "red"))
    assert texts(found) == {
        "automobile/car",
        "automobile/car loud/noisy",
        "automobile/car red",
    }


def test_an_object_goes_to_its_likest_synonym():
    found = graph(("car",), ("device",), ("machine",))  # one sense in three, against two
    assert texts(found) == {"car", "device/machine"}


def test_attributes_and_relations_bring_their_objects():
    assert texts(graph(("dog", "loud"))) == {"dog", "dog loud"}
    assert texts(graph(("dog", "be in", "yard"))) == {"dog", "yard", "dog in yard"}
    assert texts(graph(("dog", "be", "pet"), ("pet", "beep", "dog"))) == {
        "dog",
        "pet",
        "dog be pet",
        "pet beep dog",
    }


def test_a_graph_matches_itself_and_nothing_else():
    whole = graph(("dog", "bark"), ("dog", "chase", "car"))
    assert whole.match(whole) == Match(4, 4, 4)
    assert graph(("cat",)).match(whole).f == 0.0
    assert graph().match(whole).f == whole.match(graph()).f == graph().match(graph()).f == 0.0


def test_tuples_match_word_by_word_with_synonyms_and_in_order():
    references = graph(("dog", "bark"), ("dog", "chase", "car"))
    assert graph(("dog", "yap")).match(references).both == 2
    assert graph(("car", "chase", "dog")).match(references).both == 2  # the objects alone


def test_a_tuple_of_the_references_counts_once():
    both = graph(("car",), ("device",))
    assert both.match(graph(("machine",))).both == 1


def test_f_is_the_harmonic_mean():
    match = graph(("dog", "bark"), ("cat",)).match(graph(("dog", "bark"), ("car", "loud")))
    assert (match.precision, match.recall) == (2 / 3, 2 / 4)
    assert match.f == pytest.approx(2 / (1 / match.precision + 1 / match.recall))


# Synonyms.


@pytest.fixture
def little(tmp_path) -> Synonyms:
    jar = tmp_path / "Meteor.jar"
    with zipfile.ZipFile(jar, "w") as file:
        file.writestr("synonym/english.synsets", "dog\n02 03\nbox\n05\nhot_dog\n03\nmen\n09\n")
        file.writestr("synonym/english.exceptions", "dog\ndoggen\nman\nmen\n")
    return Synonyms(jar)


@pytest.mark.parametrize(
    ("words", "synsets"),
    [
        ("dog", {2, 3}),
        ("dogs", {2, 3}),
        ("boxes", {5}),
        ("doggen", {2, 3}),
        ("hot dogs", {3}),
        ("men", {9}),  # "man", which it is a form of, is no word here
        ("cat", set()),
        ("", set()),
    ],
)
def test_words_have_the_synsets_of_what_they_are_a_form_of(little, words, synsets):
    assert little(words) == synsets


# Trees, without a parser.


def tree(*words: str) -> Tree:
    """Of words "text/lemma/tag/label/head"."""
    parts = [word.split("/") for word in words]
    columns = [list(column) for column in zip(*parts, strict=True)]
    return Tree(*columns[:4], [int(head) for head in columns[4]])


def test_a_verb_at_the_end_of_a_noun_chain_is_found():
    found = tree(
        "a/a/DT/det/3",
        "car/car/NN/compound/2",
        "engine/engine/NN/compound/3",
        "revs/rev/NNS/ROOT/3",
    )
    parsing._agree(found)
    assert (found.tags[3], found.labels[2]) == ("VBZ", "nsubj")
    assert found.children[2] == [1, 0]
    assert Relations(found).words(3, "nsubj") == [2]


def test_two_nouns_are_left_as_they_are():
    found = tree("a/a/DT/det/2", "police/police/NN/compound/2", "sirens/siren/NNS/ROOT/2")
    parsing._agree(found)
    assert found.tags[2] == "NNS"


# Captions.


@pytest.fixture(scope="module")
def needs_parser() -> None:
    with skipped_if_missing():
        parsing.parser()


@pytest.mark.parametrize(
    ("caption", "tuples"),
    [
        ("a dog is barking", "dog; dog bark"),
        ("a large dog is barking at a cat", "dog; dog large; cat; dog bark+at cat"),
        ("a man is chopping wood with an axe", "man; wood; axe; man chop wood; man chop+with axe"),
        ("two people are speaking", "people; people two; people speak"),
        ("a police siren is wailing", "siren; siren police; siren wail"),
        ("the wind is strong", "wind; wind strong"),
        ("a wall is hit by a ball", "wall; ball; ball hit wall"),
        ("a door opens and then it closes", "door; door open; door close"),
        ("birds in the trees", "bird; tree; bird in tree"),
        (
            "birds are chirping and singing in the forest",
            "bird; forest; bird chirp+in forest; bird sing",
        ),
        (
            "a person is holding a cup and a spoon",
            "person; cup; spoon; person hold cup; person hold spoon; cup spoon",
        ),
        ("", ""),
    ],
)
def test_captions_become_tuples(needs_parser, caption, tuples):
    (found,) = read_tuples([caption])
    expected = {tuple(part.replace("+", " ") for part in one.split()) for one in tuples.split(";")}
    assert set(found) == expected - {()}


def test_scores_have_a_name_of_their_own_and_their_parts(needs_parser):
    score = spice_py(
        ["A dog is barking!", "wind", "rain"],
        [["a dog is barking", "birds are singing"], ["a car", "a horn"], ["Rain."]],
    )
    assert score.name == "SPICE (spice-py)"
    assert score.items == (2 * 2 / (2 + 4), 0.0, 1.0)
    assert score.details == {"precision": (1.0, 0.0, 1.0), "recall": (0.5, 0.0, 1.0)}
    assert score.corpus == pytest.approx(sum(score.items) / 3)


def test_an_item_does_not_depend_on_the_others(needs_parser):
    said = ["a dog is barking", "2 dogs don't bark …", ""]
    meant = [["dogs bark"], ["two dogs are quiet"], ["silence"]]
    together = spice_py(said, meant).items
    alone = [spice_py([one], [those]).items[0] for one, those in zip(said, meant, strict=True)]
    assert list(together) == alone


def test_without_a_parser_it_is_missing(monkeypatch):
    def refuse():
        raise MissingDependencyError(f"no spaCy; {install_command('eval')}")

    monkeypatch.setattr(parsing, "parser", refuse)
    with pytest.raises(MissingMetricError) as told:
        spice_py(["a dog"], [["a cat"]])
    assert told.value.missing.name == "SPICE (spice-py)"
    assert install_command("eval") in told.value.missing.command


def test_clips_that_cannot_be_scored_are_refused():
    with pytest.raises(ValueError, match="spice-py takes"):
        spice_py(["a dog"], [[]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "correlation", "difference"),
    [("clotho_eval", 0.91, 0.005), ("audiocaps_test", 0.74, 0.005)],
)
def test_it_is_near_the_published_program(
    needs_parser, golden_metrics, data, correlation, difference
):
    clips = golden_metrics(f"conette_{data}.jsonl")
    score = spice_py([c["candidate"] for c in clips], [c["references"] for c in clips])
    official = np.array([clip["scores"]["spice"] for clip in clips])
    assert np.corrcoef(score.items, official)[0, 1] >= correlation
    assert abs(score.corpus - official.mean()) <= difference
