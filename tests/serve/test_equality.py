"""The service and the command line give the same captions under the same seed."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.helpers.paths import EXAMPLES
from tests.helpers.service import serving

SEEDS = range(8)


@pytest.mark.slow
def test_a_hundred_requests_at_once_are_those_of_the_command_line(tiny):
    clips = sorted(p for p in EXAMPLES.iterdir() if p.suffix in (".ogg", ".wav", ".flac", ".mp3"))
    clips = clips[:13]

    def from_command_line(seed: int) -> list[str]:
        command = [sys.executable, "-m", "auricle", "caption", "--format", "json", "--offline"]
        found = subprocess.run(
            [*command, "--seed", str(seed), *map(str, clips)], capture_output=True, check=True
        )
        return [record["caption"] for record in json.loads(found.stdout)]

    expected = {seed: from_command_line(seed) for seed in SEEDS}
    with serving({"tiny": tiny}) as (url, service):

        def ask(place: int) -> None:
            clip, seed = clips[place % len(clips)], SEEDS[place // len(clips)]
            answer = httpx.post(
                f"{url}/v1/captions",
                files={"file": (clip.name, clip.read_bytes())},
                data={"seed": seed},
                timeout=120,
            )
            (record,) = answer.json()
            assert record["audio"] == clip.name
            assert record["seed"] == seed
            assert record["caption"] == expected[seed][place % len(clips)]

        with ThreadPoolExecutor(32) as pool:
            assert len(list(pool.map(ask, range(100)))) == 100
        batches = service.metrics.batch._sum.get()
        assert batches == 100
