"""The service keeps to its OpenAPI document, whatever is sent to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.models import captioner_of
from tests.helpers.service import serving

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    "response_schema_conformance",
)
OPTIONS = (
    *("--max-examples", "40", "--seed", "1"),
    *("--phases", "examples,coverage,fuzzing"),
)


@pytest.mark.slow
def test_generated_requests_bring_only_what_the_document_says(bundle, tmp_path):
    program = shutil.which("schemathesis", path=Path(sys.executable).parent)
    if not program:
        pytest.skip("schemathesis is not installed")
    with serving({"debug": captioner_of(bundle)}, max_upload_mb=8) as (url, service):
        found = subprocess.run(
            [program, "run", f"{url}/openapi.json", *OPTIONS, "--checks", ",".join(CHECKS)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert list(service.folder.iterdir()) == []
    assert found.returncode == 0, found.stdout[-4000:]
