// Waveform and spectrogram over time with a play head: a slider that seeks. Two canvases: what stays,
// and what moves above it.

import {el, svg} from "./dom.js"
import {axis, clock} from "./times.js"
import {tell} from "./i18n.js"

const WAVE = "#2f7ebc", HEAD = "#4cd964"
const WAVE_SHARE = .34  // of the height
const COLOURS = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122],
  [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191]]  // dark to bright

/** 256 colours between those of COLOURS: [[r, g, b], …]. */
const palette = Array.from({length: 256}, (_, n) => {
  const place = n / 255 * (COLOURS.length - 1), low = Math.min(Math.floor(place), COLOURS.length - 2)
  return COLOURS[low].map((one, c) => one + (COLOURS[low + 1][c] - one) * (place - low))
})

/** The least and largest of ``lows`` and ``highs`` for each of ``width`` pixels: [[low, high], …]. */
export function outline(lows, highs, width) {
  return Array.from({length: width}, (_, x) => {
    const from = Math.floor(x * lows.length / width)
    const to = Math.max(from + 1, Math.floor((x + 1) * lows.length / width))
    let low = Infinity, high = -Infinity
    for (let n = from; n < to; n++) {
      low = Math.min(low, lows[n])
      high = Math.max(high, highs[n])
    }
    return [low, high]
  })
}

/** The spectrogram as a canvas of its own size, lowest row at the bottom. */
function spectrogram({rows, columns, data}) {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0))
  const canvas = new OffscreenCanvas(columns, rows)
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = 4 * ((rows - 1 - row) * columns + column)
      image.data.set(palette[bytes[row * columns + column]], at)
      image.data[at + 3] = 255
    }
  }
  context.putImageData(image, 0, 0)
  return canvas
}

export class Picture {
  #still = el("canvas")
  #moving = el("canvas", {class: "moving"})
  #marks = null  // {start_s, end_s, weights}: the rest is faded
  #width = 0
  #height = 0

  constructor(data, player) {
    this.data = data
    this.player = player
    this.duration = data.duration_s
    player.duration = data.duration_s
    this.peak = Math.max(1, ...data.highs, ...data.lows.map(low => -low))
    this.spectrogram = spectrogram(data.spectrogram)
    this.slider = el("div", {class: "picture", role: "slider", tabindex: "0", label: "picture.slider",
      "aria-valuemin": "0", "aria-valuemax": this.duration.toFixed(2), "aria-orientation": "horizontal",
      onkeydown: event => this.#key(event), onpointerdown: event => this.#grab(event)},
    this.#still, this.#moving, this.#frequencies())
    this.element = el("div", {class: "over-time"}, this.slider, this.#axis())
    this.size = new ResizeObserver(() => this.#draw())
    this.size.observe(this.slider)
    player.addEventListener("move", () => this.#show())
    this.#show()
  }

  /** Fade all but where ``marks`` {start_s, end_s, weights: 0..1 per step} are; null fades nothing. */
  mark(marks) {
    this.#marks = marks
    this.#show()
  }

  themeChanged() { this.#show() }

  close() { this.size.disconnect() }

  #frequencies() {
    const marks = svg("svg", {class: "marks", "aria-hidden": "true"})
    for (const [hertz, height] of this.data.marks) {
      const y = `${100 - 100 * (1 - WAVE_SHARE) * height}%`
      const label = hertz >= 1000 ? `${+(hertz / 1000).toFixed(1)} kHz` : `${hertz} Hz`
      marks.append(svg("text", {x: 5, y}, label))
    }
    return marks
  }

  #axis() {
    const ticks = svg("svg", {class: "axis", "aria-hidden": "true"})
    for (const [time, label] of axis(this.duration)) {
      const x = 100 * time / this.duration
      if (x > 97) continue
      ticks.append(svg("text", {x: `${x}%`, y: 13, "text-anchor": x < 3 ? "start" : "middle"}, label))
    }
    return ticks
  }

  #draw() {
    const box = this.slider.getBoundingClientRect(), scale = window.devicePixelRatio || 1
    this.#width = Math.round(box.width * scale)
    this.#height = Math.round(box.height * scale)
    if (!this.#width || !this.#height) return
    for (const canvas of [this.#still, this.#moving]) {
      canvas.width = this.#width
      canvas.height = this.#height
    }
    const context = this.#still.getContext("2d")
    const top = Math.round(WAVE_SHARE * this.#height), columns = this.data.lows.length
    const shown = this.#width * this.#share()  // the last column may end after the recording
    context.fillStyle = WAVE
    outline(this.data.lows, this.data.highs, Math.max(1, Math.round(shown))).forEach(([low, high], x) => {
      const from = top / 2 * (1 - .92 * high / this.peak), to = top / 2 * (1 - .92 * low / this.peak)
      context.fillRect(x, from, 1, Math.max(1, to - from))
    })
    context.fillStyle = "#000"
    context.fillRect(0, top, this.#width, this.#height)
    context.imageSmoothingEnabled = columns > 200
    context.drawImage(this.spectrogram, 0, top, shown, this.#height - top)
    this.#show()
  }

  #share() { return this.data.column_s * this.data.lows.length / this.duration }

  #show(sought = false) {
    const time = Math.min(this.player.time, this.duration)
    if (!this.player.playing || sought) {  // else a screen reader would not stop talking
      this.slider.setAttribute("aria-valuenow", time.toFixed(2))
      tell(this.slider, "picture.value",
        {time: clock(time, 1), duration: clock(this.duration, 1)}, "aria-valuetext")
    }
    const context = this.#moving.getContext("2d")
    context.clearRect(0, 0, this.#width, this.#height)
    const x = time => time / this.duration * this.#width
    if (this.#marks) {
      const {start_s, end_s, weights} = this.#marks, step = (end_s - start_s) / weights.length
      context.fillStyle = getComputedStyle(this.slider).backgroundColor
      const fade = (from, to, weight) => {
        context.globalAlpha = .82 * (1 - weight)
        context.fillRect(Math.round(x(from)), 0, Math.round(x(to)) - Math.round(x(from)), this.#height)
      }
      fade(0, start_s, 0)
      weights.forEach((weight, n) => fade(start_s + n * step, start_s + (n + 1) * step, weight))
      fade(end_s, this.duration, 0)
      context.globalAlpha = 1
    }
    const span = this.player.span
    if (span) {
      context.strokeStyle = "#f0a04b"
      context.lineWidth = 2 * (window.devicePixelRatio || 1)
      context.strokeRect(x(span.start_s) + 1, 1, Math.max(2, x(span.end_s - span.start_s) - 2),
        this.#height - 2)
    }
    const wide = 2 * (window.devicePixelRatio || 1)
    context.fillStyle = HEAD
    context.fillRect(Math.min(x(time), this.#width - wide), 0, wide, this.#height)
  }

  #grab(event) {
    if (event.button) return
    const seek = ({clientX}) => {
      const box = this.slider.getBoundingClientRect()
      this.player.seek((clientX - box.left) / box.width * this.duration)
    }
    this.slider.setPointerCapture(event.pointerId)
    seek(event)
    this.slider.onpointermove = seek
    this.slider.onpointerup = this.slider.onpointercancel = () => { this.slider.onpointermove = null }
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    const step = event.shiftKey ? .1 : 1, page = Math.max(5, this.duration / 20)
    const to = {ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step,
      PageUp: page, PageDown: -page, Home: -Infinity, End: Infinity}[event.key]
    if (to !== undefined) {
      this.player.seek(this.player.time + to)
      this.#show(true)
    }
    else if (event.key === " ") this.player.toggle()
    else return
    event.preventDefault()
  }
}
