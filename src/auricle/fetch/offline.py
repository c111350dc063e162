"""Work without a network: `--offline`, or AURICLE_OFFLINE=1."""

from __future__ import annotations

import os

OFFLINE = "offline (--offline or AURICLE_OFFLINE)"  # in messages


def offline() -> bool:
    """Whether the network must not be used."""
    return os.environ.get("AURICLE_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def go_offline() -> None:
    """Use no network from now on, in this process and those it starts."""
    os.environ["AURICLE_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"
