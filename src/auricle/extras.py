"""Extras: optional dependencies of auricle, and the command that installs one."""

from __future__ import annotations

import importlib
import json
import shlex
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from auricle.errors import MissingDependencyError

CHECKOUT = Path(__file__).parents[2]  # of an editable installation


def module(name: str, extra: str) -> Any:
    """The module ``name`` of an optional dependency.

    Raises MissingDependencyError: it is not installed; ``extra`` brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name.partition('.')[0]} is not installed; run {install_command(extra)}"
        ) from error


def install_command(extra: str) -> str:
    """The command that adds ``extra`` to this installation, whether it came from an index, a
    folder, a file or a version control system (PEP 610)."""
    try:
        distribution = metadata.distribution("auricle")
    except metadata.PackageNotFoundError:  # imported from a checkout that is not installed
        here = (CHECKOUT / "pyproject.toml").is_file()
        origin: dict[str, Any] = {"dir_info": {"editable": True}, "url": CHECKOUT.as_uri()}
        return _command("pip", origin if here else {}, extra)
    installer = (distribution.read_text("INSTALLER") or "").strip()
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return _command("uv pip" if installer == "uv" else "pip", origin, extra)


def _command(installer: str, origin: dict[str, Any], extra: str) -> str:
    """``origin``: the content of direct_url.json; empty for a package from an index."""
    url = origin.get("url", "")
    wanted, flag = f"auricle[{extra}]", ""
    if vcs := origin.get("vcs_info"):
        revision = vcs.get("requested_revision") or vcs["commit_id"]
        part = origin.get("subdirectory")
        wanted += f" @ {vcs['vcs']}+{url}@{revision}" + (f"#subdirectory={part}" if part else "")
    elif url.startswith("file:"):
        path = url2pathname(urlsplit(url).path)
        if Path(path).exists():
            flag = "-e " if origin.get("dir_info", {}).get("editable") else ""
            wanted = f"{path}[{extra}]"
    elif url:
        wanted += f" @ {url}"
    quoted = shlex.quote(wanted) if set(wanted) & set('"$`\\') else f'"{wanted}"'
    return f"{installer} install {flag}{quoted}"
