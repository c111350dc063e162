// The sound of one recording: the browser's own <audio>. Where it cannot play the format, a place in
// time is all there is. Events: "move" (another place), "pause", "unplayable".

import {el} from "./dom.js"

const players = new Set()

export class Player extends EventTarget {
  #place = 0
  #span = null  // that is played from start to end
  #address
  duration = Infinity
  playable = true

  constructor(file, label) {
    super()
    this.#address = URL.createObjectURL(file)
    this.audio = el("audio", {controls: true, preload: "metadata", src: this.#address, label})
    this.audio.addEventListener("error", () => {
      this.playable = false
      this.dispatchEvent(new Event("unplayable"))
    })
    this.audio.addEventListener("play", () => {
      for (const other of players) if (other !== this) other.audio.pause()
      this.#loop()
    })
    this.audio.addEventListener("timeupdate", () => this.#watch())  // where no frames are drawn, too
    this.audio.addEventListener("seeking", () => {
      const at = this.audio.currentTime
      if (this.#span && (at < this.#span.start_s - .05 || at > this.#span.end_s)) this.#span = null
      this.#moved()
    })
    this.audio.addEventListener("pause", () => {
      this.#span = null
      this.#moved()
      this.dispatchEvent(new Event("pause"))
    })
    players.add(this)
  }

  get time() { return this.playable ? this.audio.currentTime : this.#place }
  get playing() { return this.playable && !this.audio.paused }
  get span() { return this.#span }

  seek(time) {
    this.#place = Math.min(Math.max(0, time), this.duration)
    if (this.playable) this.audio.currentTime = this.#place
    this.#moved()
  }

  /** Play a span from its start to its end; once more stops it. */
  toggleSpan(span) {
    if (this.playing && this.#span?.id === span.id) return this.audio.pause()
    this.seek(span.start_s)
    this.#span = span
    this.#play()
  }

  toggle() {
    if (this.playing) this.audio.pause()
    else this.#play()
  }

  /** Play on from ``time``. */
  playFrom(time) {
    this.seek(time)
    this.#play()
  }

  close() {
    this.audio.pause()
    players.delete(this)
    this.audio.removeAttribute("src")
    URL.revokeObjectURL(this.#address)
  }

  #play() {
    if (this.playable) this.audio.play().catch(() => {})  // stopped before it began
  }

  #watch() {
    if (this.#span && this.audio.currentTime >= this.#span.end_s) {
      const end = this.#span.end_s
      this.audio.pause()
      this.audio.currentTime = end  // not the part of a frame behind it
    }
    this.#moved()
  }

  #moved() {
    this.dispatchEvent(new Event("move"))
  }

  #loop() {
    this.#watch()
    if (this.playing) requestAnimationFrame(() => this.#loop())
  }
}
