"""A service whose model is the stub, for tests of what stands above the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from auricle.serve.config import ServiceConfig
from auricle.serve.service import Service
from tests.helpers.stub_captioner import StubCaptioner


def stub_service(data: Path, captioner: Any = None, **settings: Any) -> Service:
    """Its models are tiny and other; enter it before use."""
    captioner = captioner or StubCaptioner()
    return Service(
        {"tiny": captioner, "other": captioner}, ServiceConfig(data=data, port=0, **settings)
    )
