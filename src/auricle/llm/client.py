"""Client of a language model behind an OpenAI-compatible server: hosted, vLLM, Ollama, llama.cpp.

It uses the openai package, but with our own retries, because all requests share them: while a
server asks for a pause, no request is sent. A server is not trusted: its replies are read up to
`MOST_BYTES`, uncompressed and within the time of a request, and no redirect is followed, so the key
stays with the host that the user named.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NoReturn, TypeAlias, TypeVar
from urllib.parse import urljoin

from auricle.errors import MissingDependencyError, ProviderError
from auricle.extras import install_command
from auricle.llm.completion import Answer, NoAnswer, Unusable, read_completion

KEY, ADDRESS = "OPENAI_API_KEY", "OPENAI_BASE_URL"  # environment variables
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0  # back-off, doubled each time
LONGEST_PAUSE_S = 600.0  # the run ends if a server asks for a longer pause
REFUSALS = 3  # so many in a row before any answer: the request is wrong, not the pair
GIVEN_UP = 25  # so many failures in a row: the server is gone
PASSING = (408, 409, 425, 429)  # statuses under 500 that a retry may fix
MOST_BYTES = 1_000_000  # of a reply; the thoughts of a model have some ten thousand
MOST_SHOWN = 300  # characters of a server's own message
SECRET = 12  # characters of the shortest key that is one
ENDPOINT = "/chat/completions"

Chat: TypeAlias = list[dict[str, str]]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """A model, its server, and limits on time and tries.

    ``base_url``: of the server, OPENAI_BASE_URL or OpenAI's own if None; ``concurrency``: requests
    at a time; ``timeout_s``: seconds for a whole answer; ``tries``: of a request before it is
    given up; ``temperature``, ``max_tokens``: sent if given; ``option``: where the user named the
    model, for errors.

    The key is not a field: it comes from OPENAI_API_KEY, and is never written or logged.
    """

    model: str
    base_url: str | None = None
    concurrency: int = 8
    timeout_s: float = 60.0
    tries: int = 6
    temperature: float | None = None
    max_tokens: int | None = None
    option: str = "--model"


class GivenUp(Exception):  # noqa: N818  (no failure of the run)
    """A request without an answer, and the reason in a few words."""


class Client:
    """``async with Client(config) as client: await client.answer(messages)``.

    Attributes:
        retries: number of requests sent again.

    Raises:
        ProviderError: there is neither a key nor an address, or one of them is invalid.
        MissingDependencyError: openai is not installed.
    """

    def __init__(self, config: ClientConfig) -> None:
        try:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient
        except ImportError as error:
            raise MissingDependencyError(
                f"language models need the package openai: {install_command('mixup')}"
            ) from error
        self.config, self.retries = config, 0
        self._key = _key()
        self._address = config.base_url or os.environ.get(ADDRESS, "")
        if not self._address and not self._key:
            raise ProviderError(
                f"no key: set the environment variable {KEY}, or give --base-url of a server that"
                " needs none (http://localhost:8000/v1, for example)"
            )
        if self._address and not self._address.startswith(("http://", "https://")):
            raise ProviderError(
                f"{self._shown(self._address)}: not an address; it must start with http:// or"
                " https:// (http://localhost:8000/v1, for example)"
            )
        self._client = AsyncOpenAI(
            api_key=self._key or "none",  # local servers accept any key
            base_url=self._address or None,
            timeout=config.timeout_s,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=DefaultAsyncHttpxClient(
                follow_redirects=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # keeps none
                event_hooks={"response": [_limit]},
            ),
        )
        self._resume_s = 0.0  # time.monotonic() until which nothing is sent
        self._answered, self._failed = 0, 0  # answers, and failures since the last one

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def answer(self, messages: Chat) -> Answer:
        """The model's answer to ``messages``.

        Raises:
            GivenUp: this request fails, and retries do not help.
            ProviderError: every request would fail: a wrong key, model or address, no quota.
        """
        reason = ""
        for attempt in range(self.config.tries):
            self.retries += attempt > 0
            await self._pause()
            try:
                async with asyncio.timeout(self.config.timeout_s):  # also for a slow stream
                    answer = await self._ask(messages)
                self._answered, self._failed = self._answered + 1, 0
                return answer
            except Exception as error:
                reason, status = self._reason(error), getattr(error, "status_code", None)
                if status is not None and status < 500 and status not in PASSING:
                    self._give_up(f"refused ({reason})", refused=True)
                if isinstance(_of_ours(error), Unusable):
                    break
                if attempt + 1 < self.config.tries:
                    await self._wait(error, attempt, reason)
        self._give_up(reason)

    async def _ask(self, messages: Chat) -> Answer:
        options = {"temperature": self.config.temperature, "max_tokens": self.config.max_tokens}
        request: dict[str, Any] = {"model": self.config.model, "messages": messages}
        request |= {name: value for name, value in options.items() if value is not None}
        try:
            reply = await self._client.chat.completions.with_raw_response.create(**request)
            answer = read_completion(json.loads(reply.http_response.content))
        except (ValueError, RecursionError):
            raise NoAnswer("no chat completion in the reply") from None
        return replace(answer, text=self._hide(answer.text))

    def _reason(self, error: Exception) -> str:
        """Why a request failed, in a few words; ProviderError if every other one will fail too."""
        import openai

        if isinstance(error, TimeoutError | openai.APITimeoutError):
            return f"no answer in {self.config.timeout_s:g} s"
        if isinstance(error, openai.APIStatusError):
            self._stop(error)
            return str(error.status_code)
        if isinstance(ours := _of_ours(error), NoAnswer):
            return str(ours)
        if isinstance(error, openai.APIConnectionError):
            if not self._answered and type(error.__cause__).__name__ == "ConnectError":
                raise ProviderError(
                    f"{self._server}: nothing answers there ({self._shown(str(error.__cause__))});"
                    " start the server, or correct --base-url"
                ) from None
            return "connection lost"
        raise error

    def _stop(self, error: Any) -> None:
        """Raise ProviderError for a status that no other pair and no retry can fix."""
        status, code = error.status_code, getattr(error, "code", None)
        message = self._shown(str(error.message))
        if 300 <= status < 400:
            raise ProviderError(f"{self._server}: {self._redirect(error.response)}") from None
        if status == 401:
            fix = f"set {KEY} to a key that it accepts" if self._key else f"set {KEY}"
            raise ProviderError(f"{self._server}: the key is refused ({message}); {fix}") from None
        if status == 404:
            raise ProviderError(
                f'{self._server}: no model "{self.config.model}" there ({message}); correct'
                f" {self.config.option}, or --base-url, which for most servers ends in /v1"
            ) from None
        if code == "insufficient_quota" or status == 402:
            raise ProviderError(
                f"{self._server}: the account's quota is used up ({message}); run the same command"
                " again when there is more, and it continues where it stopped"
            ) from None
        if self._last_chance(refused=400 <= status < 500 and status not in PASSING):
            raise ProviderError(
                f"{self._server}: refuses the requests ({message}); correct {self.config.option} or"
                " its options"
            ) from None

    def _last_chance(self, refused: bool) -> bool:
        return refused and not self._answered and self._failed + 1 >= REFUSALS

    def _give_up(self, reason: str, refused: bool = False) -> NoReturn:
        self._failed += 1
        if self._failed >= GIVEN_UP and not refused:
            raise ProviderError(
                f"{self._server}: {self._failed} requests in a row without an answer, the last:"
                f" {reason}; check the server and run the same command again, which continues where"
                " it stopped"
            ) from None
        raise GivenUp(reason) from None

    async def _pause(self) -> None:
        while (wait_s := self._resume_s - time.monotonic()) > 0:
            await asyncio.sleep(wait_s + random.random() * FIRST_WAIT_S)  # not all at once

    async def _wait(self, error: Exception, attempt: int, reason: str) -> None:
        """Back off; all requests do if the server names the time or limits the rate."""
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt) * random.uniform(0.5, 1.0)
        asked_s = _retry_after_s(error)
        if asked_s is not None and asked_s > LONGEST_PAUSE_S:
            raise ProviderError(
                f"{self._server}: asks for a pause of {asked_s / 60:.3g} min ({reason}); run the"
                " same command again then, and it continues where it stopped"
            ) from None
        if asked_s is not None or getattr(error, "status_code", None) == 429:
            wait_s = wait_s if asked_s is None else asked_s
            self._resume_s = max(self._resume_s, time.monotonic() + wait_s)
        else:
            await asyncio.sleep(wait_s)

    def _redirect(self, response: Any) -> str:
        """What to do about a redirect, which is not followed: it may lead to another host."""
        target = response.headers.get("location", "")
        if not target:
            return f"answers with status {response.status_code}; correct --base-url"
        with contextlib.suppress(ValueError):  # not an address
            target = urljoin(str(response.url), target)
        address = self._shown(target.removesuffix(ENDPOINT))
        return (
            f"redirects to {address}; redirects are not followed: if you trust that server, give"
            " its address to --base-url"
        )

    @property
    def _server(self) -> str:
        return self._shown(self._address.split("@")[-1]) or "OpenAI"

    def _shown(self, text: str) -> str:
        """A text of the server's for a message: on one line, short, without the key."""
        line = "".join(filter(str.isprintable, " ".join(text.split())))
        return self._hide(line)[:MOST_SHOWN]

    def _hide(self, text: str) -> str:
        """``text`` without the key, in case the server repeats it. A key of a few letters, as local
        servers take, is no secret, and may be a part of words."""
        return text.replace(self._key, "***") if len(self._key) >= SECRET else text


def ask(
    config: ClientConfig,
    chats: Iterable[tuple[K, Chat]],
    answered: Callable[[K, Chat, Answer | GivenUp, int], None],
) -> None:
    """Have the model answer all ``chats``, ``config.concurrency`` at a time.

    Args:
        chats: each under a key of its own.
        answered: told of each as it comes: key, chat, the answer or why there is none, and how many
            requests were sent again so far. What it raises ends the run.

    Raises:
        ProviderError: the server cannot be used: see `Client`.
    """
    left = iter(chats)  # shared: each worker takes the next

    async def work(client: Client) -> None:
        for key, chat in left:
            try:
                found: Answer | GivenUp = await client.answer(chat)
            except GivenUp as error:
                found = error
            answered(key, chat, found, client.retries)

    async def run() -> None:
        async with Client(config) as client, asyncio.TaskGroup() as group:
            for _ in range(config.concurrency):
                group.create_task(work(client))

    try:
        asyncio.run(run())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _limit(response: Any) -> None:
    """Read ``response`` to `MOST_BYTES` and no further; compressed, few bytes could become many."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unusable("a compressed reply, which was not asked for")
    read = response.aiter_raw

    async def aiter_raw(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        size = 0
        async for part in read(chunk_size):
            size += len(part)
            if size > MOST_BYTES:
                raise Unusable(f"a reply of more than {MOST_BYTES // 10**6} MB")
            yield part

    response.aiter_raw = aiter_raw


def _of_ours(error: Exception) -> BaseException:
    """``error``, or its cause where openai wraps it."""
    return error.__cause__ if isinstance(error.__cause__, NoAnswer) else error


def _key() -> str:
    """The environment's key, "" if there is none."""
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()):  # the HTTP library's error would show it
        raise ProviderError(f"{KEY}: holds characters that no key has; set it again")
    return key


def _retry_after_s(error: Exception) -> float | None:
    """Seconds that a server asks to wait, from either header, a number or a date; or None."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            return max(0.0, float(value) / unit)
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (OSError, OverflowError, TypeError, ValueError):
            pass
    return None
