"""A running service with a small random model, and a client of it."""

from __future__ import annotations

import httpx
import pytest

from tests.helpers.models import captioner_of
from tests.helpers.service import serving


@pytest.fixture(scope="module")
def captioner(bundle):
    return captioner_of(bundle)


@pytest.fixture(scope="module")
def service(captioner):
    limits = {"max_files": 4, "max_upload_mb": 1.0, "max_duration_s": 40.0, "body_s": 0.5}
    both = {"debug": captioner, "other": captioner}
    with (
        serving(both, header_s=0.5, **limits) as (url, found),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        found.client = client
        yield found


@pytest.fixture
def client(service) -> httpx.Client:
    return service.client
