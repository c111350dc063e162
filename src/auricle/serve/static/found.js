// A result of a search: what is heard, where, and how well it fits. It plays in place; its file can be
// downloaded, or dragged out of the page.

import {keyring, request} from "./api.js"
import {confidenceWords} from "./caption.js"
import {button, download, el, icon} from "./dom.js"
import {tell} from "./i18n.js"
import {Player} from "./player.js"
import {problemElements} from "./problems.js"
import {clock} from "./times.js"

const MOST_TAGS = 4
const MOST_OTHERS = 3
const WHOLE_S = .1  // a part that ends so near to the end of its file is all of it

export class FoundView {
  #closed = new AbortController()

  /** ``like(found)``, ``caption(file)`` and ``only(folder)`` do what its buttons say. */
  constructor(found, {like, caption, only}) {
    Object.assign(this, {found, caption})
    const way = found.audio.split("/")
    this.name = way.pop()
    this.path = `/v1/sounds/${found.id}`
    this.said = found.caption || this.name
    this.playButton = el("button", {type: "button", class: "listen-in", onclick: () => this.#play()})
    this.place = el("div", {class: "found-sound"})
    this.problem = el("div", {class: "problem", role: "alert"})
    this.element = el("li", {},
      this.playButton,
      el("div", {class: "found-said"},
        el("p", {class: "found-caption", lang: "en"}, found.caption),
        el("p", {class: "facts"}, this.#file(), ...this.#where(way.join("/"), only), ...this.#sure())),
      this.#fit(),
      el("div", {class: "actions"},
        button("like", "found.like", () => like(this)),
        button("edit", "found.caption", () => this.#caption()), this.#tags()),
      this.place, this.problem)
    for (const one of this.element.querySelectorAll(".actions button")) this.#named(one)
    this.#showState()
  }

  focus() {
    this.playButton.focus()
  }

  close() {
    this.#closed.abort()
    this.player?.close()
  }

  /** The words of a button, for screen readers with what they are about. */
  #named(one) {
    one.append(el("span", {class: "hidden", lang: "en"}, `: ${this.said}`))
  }

  /** The file: pressed, it is downloaded; dragged out, it is a file in another program. */
  #file() {
    const {found, name} = this
    const address = `${this.path}/audio?download=true`
    const link = el("a", {class: "file", href: address, download: name,
      title: "found.file", onclick: event => this.#download(event)}, icon("file"), el("span", {}, name))
    link.addEventListener("dragstart", event => {
      if (keyring.key) return event.preventDefault()  // the system would ask for it without the key
      const whole = new URL(address, location.href).href
      event.dataTransfer.effectAllowed = "copy"
      event.dataTransfer.setData("DownloadURL", `${found.media_type}:${name.replaceAll(":", "_")}:${whole}`)
      event.dataTransfer.setData("text/uri-list", whole)
      event.dataTransfer.setData("text/plain", name)
    })
    return link
  }

  async #download(event) {
    if (!keyring.key) return  // the browser does it
    event.preventDefault()
    const content = await this.#asked("audio")
    if (content) download(this.name, content, this.found.media_type)
  }

  #where(folder, only) {
    const {start_s, end_s, duration_s, others, copies} = this.found
    const isWhole = start_s === 0 && end_s >= duration_s - WHOLE_S
    const parts = []
    if (folder) {
      parts.push(el("button", {type: "button", class: "folder", title: ["found.only", {folder}],
        label: ["found.only", {folder}], onclick: () => only(folder)}, folder))
    }
    parts.push(isWhole
      ? el("span", {class: "figures"}, clock(duration_s))
      : el("span", {class: "figures", t: ["found.part",
        {from: clock(start_s), to: clock(end_s), duration: clock(duration_s)}]}))
    if (others.length) {
      const times = others.slice(0, MOST_OTHERS).map(([from]) => clock(from)).join(", ")
      parts.push(el("span", {class: "figures",
        t: [others.length > MOST_OTHERS ? "found.others-more" : "found.others", {times}]}))
    }
    if (copies.length) {
      parts.push(el("span", {t: ["found.copies", {count: copies.length}]}))
    }
    return parts
  }

  #sure() {
    const {confidence} = this.found
    if (confidence === null || confidence === undefined) return []
    const [key, params] = confidenceWords(confidence)
    return [el("span", {t: [`found.${key}`, params], title: [key, params]})]
  }

  #tags() {
    const {tags} = this.found
    if (!tags.length) return null
    return el("ul", {class: "tags", label: "found.tags"},
      ...tags.slice(0, MOST_TAGS).map(tag => el("li", {lang: "en"}, tag)))
  }

  /** How well it fits beside the others, as a bar and a number; and by itself, as a cosine. */
  #fit() {
    const cosine = this.found.likeness ?? this.found.similarity
    const bar = el("i")
    bar.style.setProperty("--fit", this.found.score)
    return el("p", {class: "fit", title: "search.fit.about"},
      el("span", {class: "bar", "aria-hidden": "true"}, bar),
      el("span", {class: "figures", t: ["found.fit", {number: this.found.score.toFixed(2)}]}),
      cosine === null ? null
        : el("span", {class: "figures", t: ["found.cosine", {number: cosine.toFixed(2)}]}))
  }

  async #play() {
    if (this.player) return this.player.toggle()
    const content = await this.#asked("preview", this.playButton)
    if (!content || this.player) return
    this.player = new Player(content, ["player.audio", {name: this.name}])
    this.player.audio.classList.add("sound")
    this.place.replaceChildren(this.player.audio)
    for (const kind of ["play", "pause"]) this.player.audio.addEventListener(kind, () => this.#showState())
    this.player.toggle()
  }

  async #caption() {
    const content = await this.#asked("audio")
    if (content) this.caption(new File([content], this.name, {type: this.found.media_type}))
  }

  /** The sound's "audio" or "preview"; undefined if it cannot be had, which is told. */
  async #asked(what, busy = null) {
    const {signal} = this.#closed
    this.problem.replaceChildren()
    busy?.setAttribute("aria-busy", "true")
    try {
      return await (await request(`${this.path}/${what}`, {signal})).blob()
    } catch (error) {
      if (error.name !== "AbortError") this.problem.replaceChildren(...problemElements(error))
    } finally {
      busy?.removeAttribute("aria-busy")
    }
  }

  #showState() {
    const playing = this.player?.playing ?? false
    this.element.classList.toggle("playing", playing)
    this.playButton.replaceChildren(icon(playing ? "stop" : "play"))
    tell(this.playButton, playing ? "found.stop" : "found.play", {text: this.said}, "aria-label")
    tell(this.playButton, playing ? "found.stop" : "found.play", {text: this.said}, "title")
  }
}
