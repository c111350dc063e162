"""Connection: requests to a service, with recordings that are streamed from the disk."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from auricle.audio.kinds import is_array, recognise
from auricle.audio.source import Stream, opened
from auricle.errors import (
    AudioError,
    AuricleError,
    MissingDependencyError,
    ModelError,
    ServiceError,
    reason,
)
from auricle.extras import install_command
from auricle.printable import printable
from auricle.records import Caption
from auricle.schema import build

if TYPE_CHECKING:
    import httpx

CONNECT_S = 10.0
EVENTS_S = 60.0  # between the signs of life of a job's events
TRIES, LONGEST_WAIT_S = 6, 60.0  # while the service is busy
WAV_MEMORY = 2**26  # bytes of an array's WAV that are held in memory
UNUSABLE = ("unusable_recording", "decoder_died", "recording_too_long", "request_too_large")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class CutError(ServiceError):
    """A connection that could not be made, or was cut."""


class Connection:
    """Requests to the service at ``url``; their refusals are `AuricleError`."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        timeout_s: float,
        transport: httpx.BaseTransport | None,
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingDependencyError(
                f"the client needs httpx: {install_command('client')}"
            ) from error
        self.url, self._timeout_s, host = checked_address(url), timeout_s, urlsplit(url).hostname
        key = (api_key or os.environ.get("AURICLE_API_KEY") or "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ServiceError("api_key: holds what is no ASCII letter; give the key alone")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else None,
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s), pool=None),
            trust_env=host not in LOOPBACK,  # a proxy does not reach this machine
            transport=transport,
        )

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        name: str = "",
        sound: Stream | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Any:
        """The answer's JSON, None of an empty one; ``sound``, called ``name``, goes with the
        request, again as long as the service is busy."""
        file = (PurePath(name).name or name, sound, "application/octet-stream")
        files = cast(Any, {"file": file} if sound else None)
        for tried in range(1, TRIES + 1):
            with self._told(self._timeout_s):
                answer = self._http.request(method, path, data=fields, files=files)
            if sound:
                sound.check()
            wait_s = answer.headers.get("Retry-After", "")
            if answer.status_code not in (429, 503) or not wait_s.isdigit() or tried == TRIES:
                break
            time.sleep(min(float(wait_s), LONGEST_WAIT_S))
        self._check(answer, name)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise self._foreign(answer) from error

    def events(self, path: str, last: str) -> Iterator[tuple[str, str, Any]]:
        """(number, kind, value) of the server-sent events at ``path`` after number ``last``."""
        headers = {"Last-Event-ID": last} if last else None
        with (
            self._told(EVENTS_S),
            self._http.stream("GET", path, headers=headers, timeout=EVENTS_S) as answer,
        ):
            if answer.is_error:
                answer.read()
            self._check(answer, "")
            found = {"event": "message"}
            for line in answer.iter_lines():
                field, _, value = line.partition(":")
                if field:
                    before = f"{found[field]}\n" if field == "data" and field in found else ""
                    found[field] = before + value.removeprefix(" ")
                elif not line:
                    if "data" in found:
                        yield found.get("id", ""), found["event"], json.loads(found["data"])
                    found = {"event": "message"}

    def captions(self, rows: Any, name: str) -> list[Caption]:
        """The records in an answer; their recording is what the caller calls it, ``name``."""
        try:
            return [
                build(
                    Caption,
                    {key: row[key] for key in row if key != "note"} | {"audio": name},
                    self.url,
                )
                for row in rows
            ]
        except (ModelError, TypeError, ValueError) as error:
            raise ServiceError(
                f"{self.url}: records that this version does not know ({reason(error)}); use the"
                " service's version of auricle"
            ) from error

    def refusal(self, code: str, message: str, name: str) -> AuricleError:
        """The error for a problem that the service names."""
        told = printable(reason(message)).removeprefix(f"{PurePath(name).name}: ")
        if code in UNUSABLE:
            return AudioError(f"{name}: {told}")
        if code in ("invalid_setting", "model_not_found"):
            return ModelError(told)
        if code == "invalid_api_key":
            told = "the API key is missing or wrong; give api_key=…, or set AURICLE_API_KEY"
        return ServiceError(f"{self.url}: {told}")

    def _check(self, answer: httpx.Response, name: str) -> None:
        if answer.is_success:
            return
        try:
            problem = answer.json()["error"]
            error = self.refusal(problem["code"], problem["message"], name)
        except (ValueError, KeyError, TypeError) as unknown:
            raise self._foreign(answer) from unknown
        raise error

    def _foreign(self, answer: httpx.Response) -> ServiceError:
        return ServiceError(
            f"{self.url}: answers with status {answer.status_code}, not as auricle serve does;"
            " check the address"
        )

    @contextlib.contextmanager
    def _told(self, timeout_s: float) -> Iterator[None]:
        """Errors of the transport become `CutError`."""
        import httpx

        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise CutError(
                f"{self.url}: no service there ({reason(error)}); start one: auricle serve"
            ) from error
        except httpx.TimeoutException as error:
            raise CutError(
                f"{self.url}: no answer within {timeout_s:g} s; give a larger timeout_s, or send a"
                " long recording with .job(…)"
            ) from error
        except httpx.TransportError as error:
            raise CutError(
                f"{self.url}: the connection was cut ({reason(error)}); try again"
            ) from error


@contextlib.contextmanager
def uploading(source: Any, rate: int | None) -> Iterator[tuple[str, Stream]]:
    """(name, content) of a recording that is to be sent; an array, at ``rate`` if it comes without
    its own, becomes a WAV.

    Raises AudioError: it cannot be read, or is no recording.
    """
    name, content = recognise((source, rate) if is_array(source) and rate else source)
    if isinstance(content, tuple):
        with _wav(content, name) as file, opened(file, name) as stream:
            yield name, stream
    else:
        with opened(cast(Any, content), name) as stream:
            yield name, stream


@contextlib.contextmanager
def _wav(content: tuple[Any, ...], name: str) -> Iterator[Any]:
    """An array with its rate as a temporary file of 32-bit floats."""
    import soundfile

    from auricle.audio.load import checked_rate
    from auricle.audio.readers import ArrayReader

    reader = ArrayReader(content, name)
    rate_hz = checked_rate(reader.rate_hz, name)
    with tempfile.SpooledTemporaryFile(WAV_MEMORY) as file:
        sound = None
        for block in reader.blocks():
            sound = sound or soundfile.SoundFile(
                file, "w", rate_hz, block.shape[1], "FLOAT", format="WAV"
            )
            sound.write(block)
        if sound:
            sound.close()
        yield file


def checked_address(url: str) -> str:
    """``url`` without a slash at its end.

    Raises ServiceError: it is no address of the web.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        known = False
    if not known:
        raise ServiceError(
            f"{printable(str(url))}: no address of a service; give one such as"
            " http://127.0.0.1:8000"
        )
    return url.rstrip("/")
