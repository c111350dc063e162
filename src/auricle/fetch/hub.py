"""Repositories of the Hugging Face Hub, from its local cache if there is no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from auricle.errors import ModelError
from auricle.fetch.offline import OFFLINE, offline


def download(
    repository: str,
    patterns: tuple[str, ...],
    needed_too: Mapping[str, tuple[str, ...]] | None = None,
) -> Path:
    """The folder of a snapshot of ``repository`` with the files that match ``patterns``.

    Raises:
        ModelError: the repository cannot be loaded; the message names the files to fetch, of this
            repository and of those in ``needed_too``, and where to put them.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return _snapshot(repository, patterns, local=offline())
    except HFValidationError as error:
        raise ModelError(
            f"{repository}: neither a folder that exists nor owner/name on the Hugging Face Hub"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        wanted = {repository: patterns, **(needed_too or {})}
        files = ", ".join(f"{name} ({' '.join(needed)})" for name, needed in wanted.items())
        reason = (
            f"which is {OFFLINE}"
            if offline()
            else f"and the Hugging Face Hub did not give it ({type(error).__name__})"
        )
        raise ModelError(
            f"{repository} is not on this machine, {reason}: where there is a network, run "
            f"`hf download` for {files}, and copy the resulting models--* folders into "
            f"{constants.HF_HUB_CACHE}"
        ) from error


def cached(repository: str, patterns: tuple[str, ...]) -> Path | None:
    """`download` without the network: the folder in the local cache, or None."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return _snapshot(repository, patterns, local=True)
    except LocalEntryNotFoundError:
        return None


def _snapshot(repository: str, patterns: tuple[str, ...], local: bool) -> Path:
    from huggingface_hub import constants, snapshot_download

    return Path(
        snapshot_download(
            repository,
            allow_patterns=list(patterns),
            cache_dir=constants.HF_HUB_CACHE,
            local_files_only=local,
        )
    )
