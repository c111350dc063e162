"""The service with the embedded model, and OpenAI's own client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.paths import EXAMPLES
from tests.helpers.service import serving

KEY = "a-key-of-this-service"


@dataclass(frozen=True)
class Served:
    url: str
    service: Any
    openai: Any  # a client

    def own(self, path: Path, route: str = "captions", **fields: Any) -> httpx.Response:
        """What the service's own interface answers."""
        return httpx.post(
            f"{self.url}/v1/{route}",
            files={"file": (path.name, path.read_bytes())},
            data=fields,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=60,
        ).raise_for_status()


@pytest.fixture(scope="module")
def served(tiny):
    openai = pytest.importorskip("openai")
    with (
        serving({"tiny": tiny, "other": tiny}, api_keys=(KEY,), max_files=2) as (url, service),
        openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60) as client,
    ):
        yield Served(url, service, client)
        assert list(service.folder.iterdir()) == []


@pytest.fixture(scope="session")
def two_sounds() -> Path:
    return EXAMPLES / "knocking-then-man-speaking.ogg"
