"""A small random model, and what it heard."""

import pytest

from tests.helpers.debug_decoder import debug_model, hear


@pytest.fixture(scope="module")
def model():
    return debug_model()


@pytest.fixture(scope="module")
def memory(model):
    return hear(model)
