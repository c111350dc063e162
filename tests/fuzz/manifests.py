"""Manifests, through all that reads them."""

from tests.fuzz.tables import MANIFESTS, reader_of

READER = reader_of(*MANIFESTS)
