// The microphone -> a WAV file: 16-bit mono samples as they come, because not every service reads
// what MediaRecorder makes. Browsers' clean-up of voices is off: it would remove the sounds.

import {Problem} from "./api.js"

const PROBLEMS = {NotAllowedError: "recorder.denied", SecurityError: "recorder.denied",
  NotFoundError: "recorder.none", NotReadableError: "recorder.taken"}

export class Recorder {
  #parts = []
  #stop = () => {}
  samples = 0
  rate_hz = 0

  /** Begin; ``heard(peak, seconds)`` follows the sound. A Problem says why it cannot be. */
  async start(heard) {
    if (!window.isSecureContext || !navigator.mediaDevices) throw new Problem("recorder.insecure")
    let stream
    try {
      const audio = {echoCancellation: false, noiseSuppression: false, autoGainControl: false}
      stream = await navigator.mediaDevices.getUserMedia({audio})
    } catch (error) {
      throw new Problem(PROBLEMS[error.name] ?? "recorder.failed", {message: error.message})
    }
    const context = new AudioContext()
    this.#stop = () => {
      this.#stop = () => {}
      for (const track of stream.getTracks()) track.stop()
      context.close()
    }
    try {
      await context.audioWorklet.addModule("/static/recorder-worklet.js")
    } catch (error) {
      this.#stop()
      throw new Problem("recorder.failed", {message: error.message})
    }
    this.rate_hz = context.sampleRate
    const node = new AudioWorkletNode(context, "samples", {numberOfOutputs: 0})
    node.port.onmessage = ({data: {samples, peak}}) => {
      this.#parts.push(samples)
      this.samples += samples.length
      heard(peak, this.samples / this.rate_hz)
    }
    context.createMediaStreamSource(stream).connect(node)
    await context.resume()
  }

  /** End; the recording as a file. */
  finish(name) {
    this.#stop()
    return new File([wavHead(this.samples, this.rate_hz), ...this.#parts], name, {type: "audio/wav"})
  }

  discard() {
    this.#stop()
    this.#parts = []
  }
}

/** The 44 bytes before ``samples`` 16-bit samples of one channel. */
export function wavHead(samples, rate_hz) {
  const view = new DataView(new ArrayBuffer(44))
  const text = (at, letters) => [...letters].forEach((one, n) => view.setUint8(at + n, one.charCodeAt(0)))
  text(0, "RIFF")
  view.setUint32(4, 36 + 2 * samples, true)
  text(8, "WAVEfmt ")
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)  // PCM
  view.setUint16(22, 1, true)  // channel
  view.setUint32(24, rate_hz, true)
  view.setUint32(28, 2 * rate_hz, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  text(36, "data")
  view.setUint32(40, 2 * samples, true)
  return view.buffer
}
