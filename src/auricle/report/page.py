"""HTML pages that need nothing but themselves: sounds and pictures lie inside, a player marks the
time in the picture."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

STYLE = """\
body { font: 16px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #1c1c1c; background: #f6f6f4 }
h1 { font-size: 1.4rem; margin-bottom: 0 }
h2 { font-size: 1.15rem; margin: 0 }
section { background: #fff; border: 1px solid #ddd; border-radius: 6px; margin: 1.2rem 0;
  padding: 1rem }
.facts, .file { color: #666; font-size: .85rem }
.facts { margin: .2rem 0 .6rem }
.picture { position: relative }
.picture img { display: block; width: 100% }
.time { position: absolute; left: 0; width: 100%; top: 0; bottom: 0; cursor: pointer }
.time i { position: absolute; top: 0; bottom: 0; width: 2px; background: #4cd964; opacity: 0 }
audio { width: 100%; margin: .5rem 0 }
table { border-spacing: 0; width: 100% }
td { padding: .1rem 1rem .1rem 0; vertical-align: top }
"""

# Of a <section> with a picture (`.picture` > img + `.time`) and an <audio>: the time is drawn in
# the picture, a click there goes to it, and one sound plays at a time.
PLAYER = """\
for (const audio of document.querySelectorAll("section audio")) {
  const time = audio.closest("section").querySelector(".time")
  const line = time.firstChild
  const draw = () => {
    line.style.opacity = 1
    line.style.left = 100 * audio.currentTime / audio.duration + "%"
    if (!audio.paused) requestAnimationFrame(draw)
  }
  audio.onplay = () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause()
    draw()
  }
  audio.onseeked = draw
  time.onclick = event => {
    const box = time.getBoundingClientRect()
    audio.currentTime = (event.clientX - box.left) / box.width * audio.duration
    audio.play()
  }
}
"""


def data_uri(kind: str, content: bytes) -> str:
    """``content`` of the media type ``kind`` as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def flac(waveform: np.ndarray, rate_hz: int) -> bytes:
    """16 bits, lossless."""
    return _encoded(waveform, rate_hz, "FLAC", "PCM_16")


def mp3(waveform: np.ndarray, rate_hz: int) -> bytes:
    """A fifth of what FLAC takes, and played by every browser."""
    return _encoded(waveform, rate_hz, "MP3", "MPEG_LAYER_III")


def _encoded(waveform: np.ndarray, rate_hz: int, format: str, subtype: str) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, waveform, rate_hz, subtype, format=format)
    return file.getvalue()
