"""Small valid recordings of every format that is read: what the mutations begin with."""

from __future__ import annotations

import io

import numpy as np

SECONDS = 1.5
BY_SOUNDFILE = {  # name -> (format, subtype) of libsndfile
    "wav": ("WAV", "PCM_16"),
    "u8.wav": ("WAV", "PCM_U8"),
    "24.wav": ("WAV", "PCM_24"),
    "float.wav": ("WAV", "FLOAT"),
    "double.wav": ("WAV", "DOUBLE"),
    "ulaw.wav": ("WAV", "ULAW"),
    "ima.wav": ("WAV", "IMA_ADPCM"),
    "ms.wav": ("WAV", "MS_ADPCM"),
    "gsm.wav": ("WAV", "GSM610"),
    "wavex.wav": ("WAVEX", "PCM_24"),
    "rf64.wav": ("RF64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "24.flac": ("FLAC", "PCM_24"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "vbr.mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "float.aiff": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "w64": ("W64", "PCM_16"),
    "ima.w64": ("W64", "IMA_ADPCM"),
    "voc": ("VOC", "PCM_16"),
    "nist": ("NIST", "PCM_16"),
    "svx": ("SVX", "PCM_16"),
    "paf": ("PAF", "PCM_16"),
    "sf": ("IRCAM", "PCM_16"),
    "mat5": ("MAT5", "PCM_16"),
    "xi": ("XI", "DPCM_16"),
    "sds": ("SDS", "PCM_16"),
}
BY_FFMPEG = {  # name -> (format, codec) of FFmpeg
    "m4a": ("ipod", "aac"),
    "alac.m4a": ("ipod", "alac"),
    "mp4": ("mp4", "aac"),
    "mov": ("mov", "pcm_s16le"),
    "mkv": ("matroska", "aac"),
    "pcm.mkv": ("matroska", "pcm_s16le"),
    "webm": ("webm", "libopus"),
    "ts": ("mpegts", "aac"),
    "mp2.ts": ("mpegts", "mp2"),
    "aac": ("adts", "aac"),
    "wma": ("asf", "wmav2"),
    "avi": ("avi", "pcm_s16le"),
    "mp3.avi": ("avi", "libmp3lame"),
    "mpg": ("mpeg", "mp2"),
    "ac3": ("ac3", "ac3"),
    "flv": ("flv", "aac"),
    "wv": ("wv", "wavpack"),
    "tta": ("tta", "tta"),
    "amr": ("amr", "libopencore_amrnb"),
    "3gp": ("3gp", "libopencore_amrnb"),
}
RATES_HZ = {"libopencore_amrnb": 8_000, "mp2": 44_100, "ac3": 44_100, "wmav2": 44_100}
RATES_HZ |= {"libmp3lame": 44_100, "libopus": 48_000, "OPUS": 48_000, "GSM610": 8_000}


def names() -> list[str]:
    """The names of all recordings that can be made here: FFmpeg's only with PyAV."""
    try:
        import av  # noqa: F401
    except ImportError:
        return [*BY_SOUNDFILE]
    return [*BY_SOUNDFILE, *BY_FFMPEG]


def recording(name: str, seconds: float = SECONDS) -> bytes:
    """A chirp in noise, mono, as the file that ``name`` stands for."""
    if name in BY_SOUNDFILE:
        return _by_soundfile(name, seconds)
    return _by_ffmpeg(*BY_FFMPEG[name], seconds)


def chirp(seconds: float, rate_hz: int) -> np.ndarray:
    """float32 [L]."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).standard_normal(len(t))
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t) + 0.03 * noise).astype(np.float32)


def _by_soundfile(name: str, seconds: float) -> bytes:
    import soundfile

    format, subtype = BY_SOUNDFILE[name]
    rate_hz = RATES_HZ.get(subtype, 16_000)
    kind = {}
    if format == "MP3":
        kind = {"bitrate_mode": "VARIABLE" if "vbr" in name else "CONSTANT"}
        kind |= {"compression_level": 0.5}
    file = io.BytesIO()
    sound = chirp(seconds, rate_hz)
    with soundfile.SoundFile(file, "w", rate_hz, 1, subtype, format=format, **kind) as target:
        target.write(sound)
    return file.getvalue()


def _by_ffmpeg(format: str, codec: str, seconds: float) -> bytes:
    import av

    rate_hz = RATES_HZ.get(codec, 16_000)
    file = io.BytesIO()
    with av.open(file, "w", format=format) as target:
        stream = target.add_stream(codec, rate=rate_hz)
        stream.layout = "mono"
        if codec == "wmav2":
            stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(chirp(seconds, rate_hz)[None], "fltp", "mono")
        frame.sample_rate = rate_hz
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz, frame_size=size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(piece))
        target.mux(stream.encode(None))
    return file.getvalue()
