// The timeline as a list that is played, edited, copied and downloaded. Rows are made as far as they
// are scrolled to: an hour has thousands.

import {announce, button, copy, download, el, iconButton} from "./dom.js"
import {checked} from "./edits.js"
import {sounds} from "./spans.js"
import {FORMATS} from "./subtitles.js"
import {t, tell} from "./i18n.js"
import {clock} from "./times.js"

const AT_ONCE = 60  // rows
const NEW_S = 2  // a span that is added

export class TimelineView {
  #list = el("ol", {class: "rows"})
  #rows = new Map()  // id -> its row
  #shown = AT_ONCE
  #waiting = false
  #lit = ""

  constructor({model, name, edits, player, duration}) {
    Object.assign(this, {model, name, edits, player, duration})
    this.scroll = el("div", {class: "scroll"}, this.#list)
    this.scroll.addEventListener("scroll", () => this.#more())
    this.count = el("p", {class: "faint"})
    this.undo = button("undo", "timeline.undo", () => this.#undo(), {disabled: true})
    this.format = el("select", {label: "timeline.format"},
      ...Object.keys(FORMATS).map(one => el("option", {value: one}, one.toUpperCase())))
    this.copyButton = button("copy", "timeline.copy", () => this.#copy())
    this.save = button("down", "timeline.download", () => this.#download())
    this.element = el("section", {class: "timeline", label: ["timeline.of", {model}]},
      el("div", {class: "head"},
        el("div", {}, el("h3", {t: ["timeline.of", {model}]}), this.count),
        el("p", {class: "actions"}, button("add", "timeline.add", () => this.#add()), this.undo)),
      this.scroll,
      el("p", {class: "actions out"}, this.format, this.copyButton, this.save))
    edits.addEventListener("change", () => this.#later())
    player.addEventListener("move", () => this.#light())
    this.finished = false
    this.#render()
  }

  /** The service has found all. */
  finish() {
    this.finished = true
    this.#render()
  }

  #later() {
    if (this.#waiting) return
    this.#waiting = true
    queueMicrotask(() => {
      this.#waiting = false
      this.#render()
    })
  }

  #render() {
    const {spans} = this.edits
    this.undo.disabled = !this.edits.canUndo
    const none = this.finished ? "timeline.none" : "timeline.waiting"
    tell(this.count, spans.length ? "timeline.count" : none, {count: spans.length})
    const ids = new Set(spans.map(span => span.id))
    for (const id of this.#rows.keys()) {
      if (!ids.has(id)) {
        this.#rows.get(id).remove()
        this.#rows.delete(id)
      }
    }
    spans.slice(0, this.#shown).forEach((span, n) => {
      const row = this.#row(span)
      if (this.#list.children[n] !== row) this.#list.insertBefore(row, this.#list.children[n] ?? null)
    })
    while (this.#list.children.length > Math.min(this.#shown, spans.length)) this.#list.lastChild.remove()
    this.#lit = ""
    this.#light()
  }

  #row(span) {
    let row = this.#rows.get(span.id)
    if (row?.span === span) return row
    row ??= el("li")
    row.span = span
    const times = `${clock(span.start_s, 1)} – ${clock(span.end_s, 1)}`
    const {confidence} = span.record ?? {}
    const sure = confidence !== null && confidence !== undefined && span.text === span.record.caption
    row.replaceChildren(
      el("button", {type: "button", class: "play", onclick: () => this.player.toggleSpan(row.span),
        title: "timeline.play"},
      el("span", {class: "hidden", t: "timeline.play"}), " ", times),
      el("span", {class: "text", lang: "en"}, span.text),
      el("span", {class: "sure", ...(sure ? {title: "confidence.short"} : {})},
        sure ? confidence.toFixed(2) : ""),
      iconButton("edit", ["timeline.edit", {text: span.text}], () => this.#edit(row.span)),
      iconButton("remove", ["timeline.delete", {text: span.text}], () => this.#remove(row.span)))
    if (sure) row.children[2].style.setProperty("--sure-share", `${Math.round(100 * confidence)}%`)
    this.#rows.set(span.id, row)
    return row
  }

  #more() {
    const {scrollTop, clientHeight, scrollHeight} = this.scroll
    if (scrollTop + 2 * clientHeight > scrollHeight) this.#show(this.#shown + AT_ONCE)
  }

  /** Make at least so many rows. */
  #show(count) {
    if (this.#shown >= Math.min(count, this.edits.spans.length)) return
    this.#shown = count
    this.#render()
  }

  /** Mark what sounds, and bring it into view unless somebody works in the list. */
  #light() {
    const on = this.edits.spans.filter(span => sounds(span, this.player))
    const ids = on.map(span => span.id).join()
    if (ids === this.#lit) return
    this.#lit = ids
    if (on.length) this.#show(this.edits.spans.indexOf(on[0]) + 10)
    for (const row of this.#list.children) {
      if (on.includes(row.span)) row.setAttribute("aria-current", "true")
      else row.removeAttribute("aria-current")
    }
    const row = on.length && this.#rows.get(on[0].id)
    if (row && !this.scroll.contains(document.activeElement)) {
      const top = row.offsetTop - this.scroll.offsetTop
      const hidden = top < this.scroll.scrollTop
        || top + row.offsetHeight > this.scroll.scrollTop + this.scroll.clientHeight
      if (hidden) this.scroll.scrollTop = top - this.scroll.clientHeight / 3
    }
  }

  #add() {
    const start = Math.min(Math.floor(this.player.time * 1000) / 1000, Math.max(0, this.duration - .1))
    const end = Math.min(start + NEW_S, this.duration)
    const span = this.edits.add(start, end, "")
    this.#reveal(span)
    this.#edit(span)
  }

  /** Make the row of ``span``, if it is not there. */
  #reveal(span) {
    this.#render()
    this.#show(this.edits.spans.indexOf(span) + 10)
  }

  #undo() {
    this.edits.undo()
    this.#render()
    announce(t("timeline.undone"))
    if (this.undo.disabled) this.undo.previousElementSibling.focus()  // focus is not lost with it
  }

  #remove(span) {
    const at = this.edits.spans.indexOf(span)
    this.edits.remove(span)
    this.#render()
    announce(t("timeline.deleted", {text: span.text}))
    const next = this.edits.spans[Math.min(at, this.edits.spans.length - 1)]
    if (next) this.#rows.get(next.id)?.querySelector("button:last-of-type").focus()
    else this.undo.focus()
  }

  /** A form in place of the row's contents; Enter keeps, Escape leaves. */
  #edit(span) {
    const row = this.#rows.get(span.id)
    const field = (name, value, words) => el("label", {class: `f-${name}`}, el("span", {t: words}),
      el("input", {name, value, autocomplete: "off", spellcheck: name === "text" ? "true" : "false",
        ...(name === "text" ? {lang: "en"} : {inputmode: "decimal"})}))
    const problem = el("p", {class: "problem", role: "alert", id: `problem-${span.id}`})
    const form = el("form", {class: "edit", novalidate: true,
      onsubmit: event => { event.preventDefault(); this.#keep(span, form, problem) },
      onkeydown: event => { if (event.key === "Escape") this.#leave(span) }},
    field("text", span.text, "edit.text"),
    field("start", clock(span.start_s, 3), "edit.start"),
    field("end", clock(span.end_s, 3), "edit.end"),
    el("p", {class: "actions"}, el("button", {class: "primary", t: "edit.keep"}),
      el("button", {type: "button", t: "edit.leave", onclick: () => this.#leave(span)})),
    problem)
    row.replaceChildren(form)
    form.elements.text.focus()
    form.elements.text.select()
  }

  #keep(span, form, problem) {
    const {text, start, end} = form.elements
    const found = checked(span, {text: text.value, start: start.value, end: end.value}, this.duration)
    for (const input of [text, start, end]) {
      input.removeAttribute("aria-invalid")
      input.removeAttribute("aria-describedby")
    }
    if (found.values) {
      const {values} = found
      if (!span.text) {  // it was new: adding it is one step
        this.edits.undo()
        return this.#close(this.edits.add(values.start_s, values.end_s, values.text))
      }
      const same = ["text", "start_s", "end_s"].every(name => values[name] === span[name])
      return this.#close(same ? span : this.edits.change(span, values))
    }
    const input = form.elements[found.field]
    input.setAttribute("aria-invalid", "true")
    input.setAttribute("aria-describedby", problem.id)
    tell(problem, found.key, found.params)
    input.focus()
  }

  #leave(span) {
    if (span.text) return this.#close(span)
    this.edits.undo()  // it was new
    this.#render()
    this.element.querySelector(".actions button").focus()
  }

  #close(span) {
    const row = this.#rows.get(span.id)
    if (row) row.span = null  // its contents are made anew
    this.#reveal(span)
    this.#rows.get(span.id).querySelector(".icon").focus()
  }

  #written() {
    const format = this.format.value
    return [format, FORMATS[format].write(this.edits.spans, this.name)]
  }

  #download() {
    const [format, text] = this.#written()
    download(`${this.name.replace(/\.[^.]*$/, "")}.${format}`, text, FORMATS[format].type)
    announce(t("downloaded"))
  }

  async #copy() {
    const [, text] = this.#written()
    const done = await copy(text)
    announce(t(done ? "copied" : "copy.failed"))
    tell(this.copyButton.lastChild, done ? "copied" : "copy.failed")
    setTimeout(() => tell(this.copyButton.lastChild, "timeline.copy"), 2000)
  }
}
