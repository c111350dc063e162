// Search: sounds of the service's index, found by words, by a sound, and by what they are to be like.

import {Problem, request} from "./api.js"
import {megabytes} from "./card.js"
import {announce, button, el, iconButton} from "./dom.js"
import {FoundView} from "./found.js"
import {t, tell} from "./i18n.js"
import {problemElements} from "./problems.js"

const AT_ONCE = 20, MOST = 200  // results
const LONGEST = 1000  // characters of a text
const MB = 2 ** 20

export class Search {
  #like = null  // {id, name} of a result, or {file, name} of a person's own
  #views = []
  #limit = AT_ONCE
  #stop = null  // aborts the search that runs
  #searched = false

  /** ``caption(file)`` captions a file; ``limits()``: of the service. */
  constructor(panel, {caption, limits}) {
    Object.assign(this, {panel, caption, limits})
    this.lead = el("p", {class: "lead"})
    this.text = el("input", {id: "search-text", name: "text", maxlength: LONGEST, autocomplete: "off",
      enterkeyhint: "search", "aria-describedby": "search-about"})
    this.clear = iconButton("remove", "search.clear", () => this.#clear())
    this.clear.hidden = true
    this.like = el("p", {class: "like", hidden: true})
    this.files = el("input", {type: "file", hidden: true, accept: "audio/*,video/*,.flac,.ogg,.opus,.mka"})
    this.not = el("input", {id: "search-not", name: "not", maxlength: LONGEST, autocomplete: "off"})
    this.least = el("input", {id: "search-least", type: "number", min: 0, max: 86400, step: "any",
      placeholder: "0"})
    this.folder = el("select", {id: "search-folder"}, el("option", {value: "", t: "search.folder.all"}))
    this.folderField = this.#field("folder", this.folder)
    this.folderField.hidden = true
    this.filters = el("details", {class: "filters"}, el("summary", {t: "search.filters"}),
      el("div", {class: "grid"}, this.#field("not", this.not), this.#field("least", this.least),
        this.folderField))
    this.problem = el("div", {class: "problem", role: "alert"})
    this.form = el("form", {role: "search", novalidate: true, label: "search.title", class: "panel search"},
      el("label", {for: "search-text", t: "search.text"}),
      el("p", {class: "search-line"}, el("span", {class: "clearable"}, this.text, this.clear),
        el("button", {class: "primary"}, ...button("search", "search.go").children)),
      el("p", {id: "search-about", class: "faint", t: "search.text.about"}),
      this.like,
      el("p", {class: "actions by-sound"}, button("file", "search.by-sound", () => this.files.click()),
        el("span", {class: "faint drop-hint", t: "search.drop"})),
      this.files, this.filters, this.problem)
    this.title = el("h2", {tabindex: "-1"})
    this.about = el("p", {class: "faint", t: "search.fit.about"})
    this.list = el("ol", {class: "found"})
    this.more = button("add", "search.more", () => this.#more())
    this.results = el("section", {class: "panel search-results", hidden: true, label: "search.results"},
      el("div", {class: "head"}, this.title, this.about), this.list, el("p", {class: "actions"}, this.more))
    panel.append(el("h1", {t: "search.title"}), this.lead, this.form, this.results)
    this.#listen()
  }

  /** What the service says of its index. */
  offer({sounds, model, folders}) {
    tell(this.lead, "search.lead", {count: sounds, model})
    for (const folder of folders) this.#folder(folder)
    this.folderField.hidden = folders.length < 2
  }

  /** Find what sounds like a person's own recording. */
  by(file) {
    this.#likeThis({file, name: file.name})
  }

  #listen() {
    this.form.addEventListener("submit", event => {
      event.preventDefault()
      this.run()
    })
    this.text.addEventListener("input", () => { this.clear.hidden = !this.text.value })
    this.form.addEventListener("keydown", event => {
      if (event.key === "Escape" && event.target === this.text && this.text.value) {
        event.preventDefault()
        this.#clear()
      }
    })
    this.files.addEventListener("change", () => {
      if (this.files.files.length) this.by(this.files.files[0])
      this.files.value = ""
    })
    for (const one of [this.not, this.least, this.folder]) {
      one.addEventListener("change", () => { if (this.#searched) this.run() })
    }
  }

  #field(name, input) {
    const about = `about-search-${name}`
    input.setAttribute("aria-describedby", about)
    return el("p", {class: "field"}, el("label", {for: input.id, t: `search.${name}`}), input,
      el("span", {class: "faint", id: about, t: `search.${name}.about`}))
  }

  #folder(name) {
    if ([...this.folder.options].some(one => one.value === name)) return
    this.folder.append(el("option", {value: name}, name))
  }

  #clear() {
    this.text.value = ""
    this.clear.hidden = true
    this.text.focus()
  }

  /** Search for what is like ``one``, and for no text. */
  #likeThis(one) {
    this.#like = one
    this.text.value = ""
    this.clear.hidden = true
    this.like.replaceChildren(
      el("span", {t: [one.file ? "search.like-file" : "search.like", {name: one.name}]}),
      iconButton("remove", ["search.unlike", {name: one.name}], () => this.#unlike()))
    this.like.hidden = false
    this.run({focus: true})
  }

  #unlike() {
    this.#like = null
    this.like.hidden = true
    this.text.focus()
    if (this.text.value.trim()) this.run()
  }

  #only(folder) {
    this.#folder(folder)
    this.folder.value = folder
    this.folderField.hidden = false
    this.filters.open = true
    this.run({focus: true})
  }

  #more() {
    const shown = this.#views.length
    this.run({limit: Math.min(MOST, this.#limit + AT_ONCE), then: () => this.#views[shown]?.focus()})
  }

  /** Search; what was asked before is forgotten. With ``focus``, the results get it. */
  async run({limit = AT_ONCE, focus = false, then = null} = {}) {
    this.#stop?.abort()
    this.problem.replaceChildren()
    const wrong = this.#wrong()
    if (wrong) return
    const stop = this.#stop = new AbortController()
    this.results.hidden = false
    this.list.setAttribute("aria-busy", "true")
    tell(this.title, "search.working")
    if (focus) this.title.focus()
    try {
      const file = this.#like?.file, most = this.limits().max_upload_mb
      if (file && most && file.size > most * MB) {
        throw new Problem("problem.large-here", {params: {size: megabytes(file.size), limit: most}})
      }
      const answer = await request("/v1/search", {method: "POST", signal: stop.signal, ...this.#asked(limit)})
      const found = await answer.json()
      this.#limit = limit
      this.#show(found.results)
      then?.()
    } catch (error) {
      if (stop !== this.#stop || error.name === "AbortError") return
      this.#show([])
      this.results.hidden = true
      this.problem.replaceChildren(...problemElements(error, this.limits()))
    } finally {
      if (stop === this.#stop) this.list.removeAttribute("aria-busy")
    }
  }

  /** Whether something is not as it must be, which is told. */
  #wrong() {
    const tellThat = (input, key, params) => {
      input.setAttribute("aria-invalid", "true")
      this.problem.replaceChildren(el("p", {t: [key, params]}))
      input.focus()
      return true
    }
    for (const one of [this.text, this.least]) one.removeAttribute("aria-invalid")
    if (!this.text.value.trim() && !this.#like) return tellThat(this.text, "search.empty")
    if (!this.least.validity.valid) {
      this.filters.open = true
      return tellThat(this.least, "settings.range", {name: () => t("search.least"), min: this.least.min,
        max: this.least.max})
    }
    return false
  }

  /** The request as options of fetch. */
  #asked(limit) {
    const fields = {text: this.text.value.trim(), limit}
    if (this.not.value.trim()) fields.exclude = [this.not.value.trim()]
    if (+this.least.value > 0) fields.min_duration = +this.least.value
    if (this.folder.value) fields.folder = this.folder.value
    if (!this.#like?.file) {
      if (this.#like) fields.like = this.#like.id
      return {body: JSON.stringify(fields), headers: {"Content-Type": "application/json"}}
    }
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    form.append("file", this.#like.file, this.#like.name)
    return {body: form}
  }

  #show(results) {
    this.#searched = true
    for (const one of this.#views) one.close()
    this.#views = results.map(found => new FoundView(found, {
      like: view => this.#likeThis({id: found.id, name: view.said}), caption: this.caption,
      only: folder => this.#only(folder)}))
    this.list.replaceChildren(...this.#views.map(one => one.element))
    const mayBeMore = results.length === this.#limit
    const key = !results.length ? "none" : mayBeMore ? "best" : "count"
    tell(this.title, `search.${key}`, {count: results.length})
    announce(this.title.textContent)
    this.about.hidden = !results.length
    this.more.hidden = !mayBeMore || this.#limit >= MOST
  }
}
