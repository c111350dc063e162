"""Candidates of captions, as a decoder would give them."""

from auricle.records import Candidate


def candidate(log_likelihood=-1.0, similarity=0.5, agreement=0.5, text="a dog barks"):
    return Candidate(text, log_likelihood, similarity, 0.0, True, agreement=agreement)
