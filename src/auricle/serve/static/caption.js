// The caption of one model, big; how sure it is; its words, which light up over the time that they
// attend to.

import {announce, button, copy, el} from "./dom.js"
import {t, tell} from "./i18n.js"
import {clock} from "./times.js"

export const NO_SOUND = "no recognisable sound"
const SURE = [[.75, "sure"], [.5, "fairly"], [.3, "unsure"], [0, "guess"]]

/** The words for a confidence in [0, 1]: [key, params]. */
export function confidenceWords(confidence) {
  const how = SURE.find(([least]) => confidence >= least)[1]
  return [`confidence.${how}`, {number: confidence.toFixed(2), count: Math.round(100 * confidence)}]
}

/** Of each word and step its weight as shown: 0 for the mean and less, 1 for the word's largest. */
export function contrasted(weights) {
  return weights.map(row => {
    const mean = row.reduce((sum, one) => sum + one, 0) / row.length, most = Math.max(...row)
    return row.map(one => most > mean ? Math.max(0, (one - mean) / (most - mean)) : 0)
  })
}

/** The step with the largest of ``weights``: {from, to} in seconds. */
export function strongest(weights, start_s, end_s) {
  const step = (end_s - start_s) / weights.length
  const from = start_s + weights.indexOf(Math.max(...weights)) * step
  return {from, to: from + step}
}

export class CaptionView {
  #text = el("div", {class: "caption", lang: "en"})
  #sure = el("p", {class: "confidence"})
  #note = el("p", {class: "faint word-note"})
  #words = []
  #weights = []
  #over = null

  /** ``mark`` gets what the picture is to mark: {start_s, end_s, weights}, or null. */
  constructor(model, player, mark) {
    Object.assign(this, {player, mark})
    this.copyButton = button("copy", "caption.copy", () => this.#copy(), {hidden: true})
    this.element = el("section", {class: "said", label: ["caption.of", {model}]},
      el("div", {class: "head"}, el("h3", {t: ["caption.of", {model}]}), this.copyButton),
      this.#text, this.#sure, this.#note)
    tell(this.#text, "caption.waiting")
    this.#text.classList.add("waiting")
    player.addEventListener("move", () => this.#light())
  }

  show(record) {
    this.record = record
    this.#text.classList.remove("waiting")
    delete this.#text.dataset.t
    this.#text.textContent = record.caption
    this.copyButton.hidden = false
    if (record.caption === NO_SOUND) {
      this.#text.classList.add("nothing")
      tell(this.#sure, "caption.nothing")
    } else if (record.confidence !== null && record.confidence !== undefined) {
      tell(this.#sure, ...confidenceWords(record.confidence))
    }
    announce(`${record.caption}. ${this.#sure.textContent}`)
  }

  /** Over which time each word attends. Each becomes a button; one of them is a tab stop, arrow keys
   * go to the others. */
  showWords({words, start_s, end_s, weights}) {
    this.#over = {start_s, end_s}
    this.#weights = contrasted(weights)
    this.#words = words.map((word, n) => el("button", {type: "button", class: "word",
      tabindex: n ? "-1" : "0", title: ["words.word", this.#when(word, n)],
      onclick: () => this.player.playFrom(strongest(weights[n], start_s, end_s).from),
      onmouseenter: () => this.#mark(n), onmouseleave: () => this.#mark(null),
      onfocus: () => this.#mark(n), onblur: () => this.#mark(null)}, word))
    this.#text.replaceChildren(...this.#words.flatMap((one, n) => n ? [" ", one] : [one]))
    this.#text.setAttribute("role", "group")
    this.#text.setAttribute("aria-label", this.record?.caption ?? words.join(" "))
    this.#text.onkeydown = event => this.#key(event)
    tell(this.#note, "words.hint")
  }

  fail(key) {
    if (!this.record) tell(this.#text, key)
  }

  #mark(n) {
    if (n === null) {
      this.mark(null)
      tell(this.#note, "words.hint")
      return
    }
    const {start_s, end_s} = this.#over
    this.mark({start_s, end_s, weights: this.#weights[n]})
    tell(this.#note, "words.word", this.#when(this.#words[n].textContent, n))
  }

  /** The second at which a word attends most, as params of the words: for those who do not see it. */
  #when(word, n) {
    const {from, to} = strongest(this.#weights[n], this.#over.start_s, this.#over.end_s)
    return {word, from: clock(from, 1), to: clock(to, 1)}
  }

  #key(event) {
    const at = this.#words.indexOf(document.activeElement)
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.#words.length - 1}[event.key]
    if (at < 0 || !this.#words[to]) return
    this.#words[at].tabIndex = -1
    this.#words[to].tabIndex = 0
    this.#words[to].focus()
    event.preventDefault()
  }

  #light() {
    if (!this.#over) return
    const {start_s, end_s} = this.#over, {player} = this
    const steps = this.#weights[0]?.length ?? 0
    const step = Math.floor((player.time - start_s) / (end_s - start_s) * steps)
    this.#words.forEach((word, n) => {
      const lit = player.playing && step >= 0 && step < steps ? this.#weights[n][step] : 0
      word.style.setProperty("--lit", lit.toFixed(2))
    })
  }

  async #copy() {
    announce(t(await copy(this.record.caption) ? "copied" : "copy.failed"))
    tell(this.copyButton.lastChild, "copied")
    setTimeout(() => tell(this.copyButton.lastChild, "caption.copy"), 2000)
  }
}
