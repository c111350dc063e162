// Runs beside the sound: mixes the channels to one and sends about 20 parts a second.

class Samples extends AudioWorkletProcessor {
  part = new Int16Array(Math.round(sampleRate / 20))
  count = 0
  peak = 0

  process([channels]) {
    if (!channels.length) return true
    for (let n = 0; n < channels[0].length; n++) {
      const sum = channels.reduce((total, one) => total + one[n], 0)
      const sample = Math.max(-1, Math.min(1, sum / channels.length))
      this.peak = Math.max(this.peak, Math.abs(sample))
      this.part[this.count++] = Math.round(sample * 32767)
      if (this.count === this.part.length) {
        this.port.postMessage({samples: this.part.slice(), peak: this.peak})
        this.count = this.peak = 0
      }
    }
    return true
  }
}

registerProcessor("samples", Samples)
