"""Conditions without which a test is skipped."""

import contextlib
from collections.abc import Iterator

import pytest

from auricle.errors import MissingDependencyError
from tests.helpers.paths import SHARED_DATA

needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="needs the project's shared data folder"
)


@contextlib.contextmanager
def skipped_if_missing() -> Iterator[None]:
    """Skip the test where an optional part is not installed."""
    try:
        yield
    except MissingDependencyError as error:
        pytest.skip(str(error))
