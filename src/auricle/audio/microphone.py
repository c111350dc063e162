"""Microphones: the inputs of this computer, through sounddevice and PortAudio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auricle.audio.live import BLOCK_S, Inflow
from auricle.errors import AudioError, MissingDependencyError, reason
from auricle.extras import install_command

if TYPE_CHECKING:
    from sounddevice import InputStream

PIPE = ", or pipe sound in: arecord -f S16_LE -r 16000 | auricle listen -"
SEE = "`auricle listen --list-devices` shows them"
LIBRARY = (
    "{} needs the library PortAudio, which was not found; install it, for example with"
    " apt-get install libportaudio2"
)


@dataclass(frozen=True)
class InputDevice:
    """A microphone or another input; ``number`` and ``name`` choose it."""

    number: int
    name: str
    channels: int
    rate_hz: int
    default: bool


def input_devices() -> list[InputDevice]:
    """The inputs of this computer. Raises MissingDependencyError: no sounddevice or PortAudio."""
    devices = sounddevice_for()
    try:
        default = devices.query_devices(kind="input")["index"]
    except (devices.PortAudioError, ValueError):
        default = None
    return [
        InputDevice(
            one["index"],
            one["name"],
            one["max_input_channels"],
            round(one["default_samplerate"]),
            one["index"] == default,
        )
        for one in devices.query_devices()
        if one["max_input_channels"] > 0
    ]


class Microphone:
    """An inlet of live sound: the input ``device``, its number or a part of its name, or by default
    the system's. Its own sample rate is used.

    Raises:
        AudioError: there is no such input.
        MissingDependencyError: sounddevice or PortAudio is missing.
    """

    def __init__(self, device: int | str | None = None) -> None:
        devices = sounddevice_for()
        try:
            found = devices.query_devices(device, "input")
        except (devices.PortAudioError, ValueError) as error:
            if device is None:
                raise AudioError(
                    f"there is no microphone ({reason(error)}); connect one, or pipe sound in and"
                    " give -"
                ) from error
            raise AudioError(f"microphone {device!r}: {reason(error)}; {SEE}") from error
        self.name, self.rate_hz = found["name"], round(found["default_samplerate"])
        self._number, self._most_channels = found["index"], found["max_input_channels"]
        self._stream: InputStream | None = None

    def start(self, inflow: Inflow) -> None:
        """Open the input. Raises AudioError: it cannot be opened, such as one in use."""
        devices = sounddevice_for()

        def heard(samples: Any, frames: int, moment: Any, status: Any) -> None:
            inflow.overruns += bool(status.input_overflow)
            inflow.put(samples.copy(), self.rate_hz)

        def ended() -> None:  # by `close`, or because the device is gone
            inflow.end(AudioError(f"{self.name}: gives no more sound; connect it again"))

        try:
            self._stream = devices.InputStream(
                device=self._number,
                samplerate=self.rate_hz,
                blocksize=round(BLOCK_S * self.rate_hz),
                channels=self._channels(devices),
                dtype="float32",
                callback=heard,
                finished_callback=ended,
            )
            self._stream.start()
        except devices.PortAudioError as error:
            raise AudioError(
                f"{self.name}: cannot be opened ({reason(error)}); close other programs that use"
                f" it, or choose another: {SEE}"
            ) from error

    def close(self) -> None:
        if self._stream:
            self._stream.close()

    def _channels(self, devices: Any) -> int:
        """One, or all of a device that gives no fewer."""
        try:
            devices.check_input_settings(self._number, 1, "float32", samplerate=self.rate_hz)
        except devices.PortAudioError:
            return int(self._most_channels)
        return 1


def sounddevice_for(purpose: str = "a microphone", otherwise: str = PIPE) -> Any:
    """The package sounddevice; ``otherwise``: what to do without PortAudio.

    Raises MissingDependencyError: it is missing, or PortAudio.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingDependencyError(
            f"{purpose} needs sounddevice, which is not installed: {install_command('listen')}"
        ) from error
    except OSError as error:
        raise MissingDependencyError(LIBRARY.format(purpose) + otherwise) from error
    return sounddevice
