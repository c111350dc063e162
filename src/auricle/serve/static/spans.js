// The timeline as coloured spans along the picture's time axis, for the pointer; the list of
// timeline.js has the same for keys and screen readers.

import {svg} from "./dom.js"
import {clock} from "./times.js"
import {lanes} from "./edits.js"

const ROW = 26, GAP = 3
const MOST_ROWS = 6
const ROOM = .09  // of the width, that a text needs

export class Spans {
  element = svg("svg", {class: "spans", "aria-hidden": "true"})
  #shapes = new Map()
  #waiting = false

  constructor(edits, player, duration, kind) {
    Object.assign(this, {edits, player, duration})
    this.element.classList.add(kind)
    edits.addEventListener("change", () => this.#later())
    player.addEventListener("move", () => this.#light())
    this.element.addEventListener("click", ({target}) => {
      const span = this.edits.spans.find(one => String(one.id) === target.closest("[data-id]")?.dataset.id)
      if (span) player.toggleSpan(span)
    })
    this.#later()
  }

  #later() {  // records come in crowds
    if (this.#waiting) return
    this.#waiting = true
    requestAnimationFrame(() => {
      this.#waiting = false
      this.#draw()
    })
  }

  #draw() {
    const rows = lanes(this.edits.spans).slice(0, MOST_ROWS)
    this.element.setAttribute("height", Math.max(1, rows.length * (ROW + GAP)))
    this.#shapes = new Map()
    const shapes = rows.flatMap((row, n) => row.map(span => this.#shape(span, n * (ROW + GAP))))
    this.element.replaceChildren(...shapes)
    this.#light()
  }

  #shape(span, y) {
    const share = Math.min(1, (span.end_s - span.start_s) / this.duration)
    const shape = svg("svg", {x: `${100 * span.start_s / this.duration}%`, y, height: ROW,
      width: `${100 * share}%`, "data-id": span.id},
    svg("title", {}, `${clock(span.start_s, 1)} – ${clock(span.end_s, 1)}: ${span.text}`),
    svg("rect", {width: "100%", height: ROW, rx: 3}))
    if (share >= ROOM) shape.append(svg("text", {x: 7, y: 17.5}, span.text))
    this.#shapes.set(span.id, shape)
    return shape
  }

  #light() {
    const {player} = this
    for (const span of this.edits.spans) {
      this.#shapes.get(span.id)?.classList.toggle("on", sounds(span, player))
    }
  }
}

/** Whether a span is heard now: the one that is played, or all at the play head. */
export function sounds(span, player) {
  if (!player.playing) return false
  if (player.span) return player.span.id === span.id
  return span.start_s <= player.time && player.time < span.end_s
}
