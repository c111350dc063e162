// One recording: its job on the service from the upload to the last event, and what came of it.

import {Problem, keyring, request} from "./api.js"
import {CaptionView} from "./caption.js"
import {candidatesTable} from "./candidates.js"
import {announce, button, el, iconButton} from "./dom.js"
import {Edits} from "./edits.js"
import {follow} from "./events.js"
import {t, tell} from "./i18n.js"
import {Picture} from "./picture.js"
import {Player} from "./player.js"
import {problemElements} from "./problems.js"
import {Spans} from "./spans.js"
import {TimelineView} from "./timeline.js"
import {clock} from "./times.js"
import {upload} from "./upload.js"

const STAGES = ["picture", "caption", "words", "timeline"]
const TOGETHER_MS = 50
let cards = 0

const MB = 2 ** 20  // as the service counts

export const megabytes = bytes => (bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0)

export class Card {
  #stop = null  // aborts the work
  #job = null  // its path
  #views = new Map()  // model that was asked for -> {caption, edits, timeline, place}
  #names = new Map()  // model of a record -> its view

  /** ``turn()`` resolves when an upload may begin, to a function that ends the turn; ``options()``
   * gives the fields of the job. */
  constructor(file, {turn, options, limits, removed}) {
    Object.assign(this, {file, turn, options, limits, removed})
    this.id = `card-${++cards}`
    this.title = el("h2", {id: this.id, tabindex: "-1"}, file.name)
    this.facts = el("p", {class: "facts"})
    this.againButton = iconButton("again", ["card.again", {name: file.name}], () => this.run())
    this.state = el("p", {class: "state"})
    this.bar = el("progress", {max: "1", label: "card.progress"})
    this.cancelButton = button("stop", "card.cancel", () => this.cancel())
    this.work = el("div", {class: "work"}, this.state, this.bar, this.cancelButton)
    this.problem = el("div", {class: "problem", role: "alert"})
    this.notes = el("ul", {class: "notes faint"})
    this.results = el("div", {class: "results"})
    this.element = el("article", {class: "card panel", "aria-labelledby": this.id},
      el("header", {}, this.title, el("p", {class: "actions"}, this.againButton,
        iconButton("remove", ["card.remove", {name: file.name}], () => this.remove()))),
      this.facts, this.work, this.problem, this.notes, this.results)
    document.addEventListener("themechange", () => this.picture?.themeChanged())
  }

  /** Do the whole work, from the start. */
  async run() {
    this.#reset()
    const stop = this.#stop = new AbortController()
    const {signal} = stop, fields = this.options()
    keyring.addEventListener("needed", () => this.#progress("card.key", null), {signal})
    try {
      const most = this.limits().max_upload_mb
      if (most && this.file.size > most * MB) {
        throw new Problem("problem.large-here", {params: {size: megabytes(this.file.size), limit: most}})
      }
      if (!this.file.size) throw new Problem("problem.empty")
      tell(this.state, "card.waiting")
      const done = await this.turn(signal)
      let status
      try {
        status = await upload(this.file, fields, {signal,
          progress: (sent, total) => sent < total
            ? this.#progress("card.upload", sent / total, {sent: megabytes(sent), total: megabytes(total)})
            : this.#progress("card.queued", null),
          busy: seconds => this.#progress("card.busy", null, {seconds})})
      } finally {
        done()
      }
      this.#job = `/v1/jobs/${encodeURIComponent(status.id)}`
      if (signal.aborted) throw new DOMException("cancelled", "AbortError")
      for (const model of status.models ?? []) this.#view(model)
      this.#progress("card.queued", null)
      await follow(this.#job, {signal, take: (name, data) => this.#take(name, data),
        lost: seconds => this.#progress(seconds === null ? "card.back" : "card.lost", null, {seconds})})
    } catch (error) {
      if (stop !== this.#stop) return  // it was begun again
      if (error.name === "AbortError") this.#end("card.cancelled")
      else this.#fail(error)
    }
  }

  /** Stop the work, here and on the service. */
  cancel() {
    this.#stop?.abort()
    this.#erase()
    this.title.focus()
  }

  remove() {
    this.#stop?.abort()
    this.#stop = null
    this.#erase()
    this.#clear()
    this.removed(this)
  }

  #erase() {
    if (this.#job) request(this.#job, {method: "DELETE", keepalive: true}).catch(() => {})
    this.#job = null
  }

  #clear() {
    this.player?.close()
    this.picture?.close()
    this.player = this.picture = null
    this.#views.clear()
    this.#names.clear()
    this.duration = null
    this.results.replaceChildren()
    this.notes.replaceChildren()
  }

  #reset() {
    this.#stop?.abort()
    this.#erase()
    this.problem.replaceChildren()
    this.element.classList.remove("failed", "finished")
    this.againButton.hidden = true
    this.work.hidden = false
    this.bar.hidden = this.cancelButton.hidden = false
    this.bar.removeAttribute("value")
    this.#blank()
  }

  /** Results without anything in them. */
  #blank() {
    this.#clear()
    tell(this.facts, "card.facts", {size: megabytes(this.file.size)})
    this.player = new Player(this.file, ["player.audio", {name: this.file.name}])
    this.player.addEventListener("unplayable", () => { this.unplayable.hidden = false })
    this.captions = el("div", {class: "models"})
    this.player.audio.classList.add("sound")
    this.unplayable = el("p", {class: "faint", t: "player.unplayable", hidden: true})
    this.lanes = el("div", {class: "lanes"})
    this.stage = el("div", {class: "stage"})
    this.details = el("div", {class: "models details"})
    this.results.append(this.captions,
      el("section", {class: "listen", label: "player.title"}, el("h3", {class: "hidden", t: "player.title"}),
        this.stage, this.lanes, this.player.audio, this.unplayable), this.details)
  }

  #progress(key, share, params) {
    tell(this.state, key, params)
    if (share === null) this.bar.removeAttribute("value")
    else this.bar.value = share
  }

  /** What is shown of a model. */
  #view(model) {
    const known = this.#views.get(model)
    if (known) return known
    const edits = new Edits()
    const caption = new CaptionView(model, this.player, marks => this.picture?.mark(marks))
    const place = el("div", {class: "model"})
    const view = {model, edits, caption, place, found: [], timer: null}
    this.#views.set(model, view)
    this.captions.append(caption.element)
    this.details.append(place)
    this.element.classList.toggle("several", this.#views.size > 1)
    if (this.duration) this.#timeline(view)
    return view
  }

  /** The view of a record's model, which may have another name than the one that was asked for: the
   * first that no record has come for. */
  #viewOf(model) {
    if (!this.#names.has(model)) {
      const taken = new Set(this.#names.values())
      const free = [...this.#views.values()].find(view => !taken.has(view))
      this.#names.set(model, this.#views.get(model) ?? free ?? this.#view(model))
    }
    return this.#names.get(model)
  }

  #timeline(view) {
    if (view.timeline) return
    const {model, edits} = view, {player, duration} = this
    view.timeline = new TimelineView({model, name: this.file.name, edits, player, duration})
    view.place.append(view.timeline.element)
    const kind = [...this.#views.values()].indexOf(view) % 2 ? "second" : "first"
    view.timeline.element.classList.add(kind)
    this.lanes.append(new Spans(edits, player, duration, kind).element)
  }

  #take(name, data) {
    if (name === "state") this.#status(data)
    else if (name === "progress") this.#status({progress: data, state: "running"})
    else if (name === "picture") this.#picture(data)
    else if (name === "caption") this.#caption(data)
    else if (name === "words") this.#viewOf(data.model).caption.showWords(data)
    else if (name === "timeline") this.#found(data)
    else if (name === "note") this.#note(data)
    else if (name === "end") this.#finish(data)
  }

  /** A record of a timeline; those that come together are shown together. */
  #found(record) {
    const view = this.#viewOf(record.model)
    view.found.push(record)
    view.timer ??= setTimeout(() => this.#showFound(view), TOGETHER_MS)
  }

  #showFound(view) {
    clearTimeout(view.timer)
    view.timer = null
    if (view.found.length) view.edits.append(view.found.splice(0))
  }

  #status({state, progress, duration_s, models}) {
    if (state === "queued" && this.#names.size) this.#blank()  // a service that stopped begins anew
    for (const model of models ?? []) this.#view(model)
    if (duration_s) this.#lasts(duration_s)
    if (state === "queued") this.#progress("card.queued", null)
    else if (state === "running" && progress?.stage) {
      const [stage, ...model] = progress.stage.split(" ")
      const share = progress.total ? progress.done / progress.total : null
      this.#progress(STAGES.includes(stage) ? `stage.${stage}` : "stage.other", share,
        {model: model.join(" "), stage, percent: share === null ? "" : `${Math.floor(100 * share)} %`})
    }
  }

  #lasts(duration) {
    if (this.duration === duration && [...this.#views.values()].every(view => view.timeline)) return
    this.duration = duration
    tell(this.facts, "card.facts-long", {size: megabytes(this.file.size), duration: clock(duration)})
    for (const view of this.#views.values()) this.#timeline(view)
  }

  #picture(data) {
    this.#lasts(data.duration_s)
    this.picture = new Picture(data, this.player)
    this.stage.replaceChildren(this.picture.element)
  }

  #caption(record) {
    const view = this.#viewOf(record.model)
    view.caption.show(record)
    if (record.candidates?.length) view.place.append(candidatesTable(record))
  }

  #note(data) {
    const text = typeof data === "string" ? data : data.message ?? data.note ?? ""
    if (text) this.notes.append(el("li", {lang: "en"}, text))
  }

  #finish(status) {
    if (status.state === "failed") {
      return this.#fail(new Problem("problem.failed", {message: status.error?.message ?? ""}))
    }
    this.#status(status)
    if (status.state === "cancelled") return this.#end("card.cancelled")
    this.#end("card.done")
    this.element.classList.add("finished")
    this.work.hidden = true
  }

  #end(key) {
    tell(this.state, key)
    this.bar.hidden = this.cancelButton.hidden = true
    this.againButton.hidden = false
    announce(`${this.file.name}: ${t(key)}`)
    for (const view of this.#views.values()) {
      this.#showFound(view)
      view.timeline?.finish()
      view.caption.fail(key === "card.cancelled" ? "caption.cancelled" : "caption.none")
    }
    if (!this.#views.size) this.results.replaceChildren()
  }

  #fail(problem) {
    this.element.classList.add("failed")
    this.#end("card.failed")
    this.work.hidden = true
    this.problem.replaceChildren(
      ...problemElements(problem, this.limits()),
      el("p", {class: "actions"}, button("again", "card.retry", () => {
        this.run()
        this.title.focus()
      })))
  }
}
