"""A running service, for tests."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auricle.serve.config import ServiceConfig
from auricle.serve.run import address_of, listening, server_of
from auricle.serve.service import Service
from auricle.serve.sounds import Sounds


@contextlib.contextmanager
def serving(
    captioners: Mapping[str, Any], sounds: Sounds | None = None, **config: Any
) -> Iterator[tuple[str, Service]]:
    """(address, service) of a service with these models, until the end of the block; its folder of
    jobs is its own."""
    with (
        tempfile.TemporaryDirectory() as data,
        Service(captioners, ServiceConfig(**{"data": Path(data)} | config), sounds) as service,
        listening("127.0.0.1", 0) as listener,
    ):
        server = server_of(service)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield address_of(listener), service
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()
