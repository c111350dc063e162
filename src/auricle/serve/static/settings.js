// The choices for the next recordings: models and the options of captions and timelines.

import {el} from "./dom.js"
import {tell} from "./i18n.js"

const MOST_MODELS = 2  // side by side
const DECODING = ["nucleus", "beam", "diverse-beam", "greedy"]
const NUMBERS = [  // name, least, most, step; an empty one is the service's own
  ["candidates", 1, 1000, 1], ["seed", 0, 2 ** 31 - 1, 1], ["sensitivity", 0, 1, .05],
  ["min_confidence", 0, 1, .05]]

export class Settings {
  constructor(form) {
    this.form = form
    this.models = el("fieldset", {}, el("legend", {t: "settings.models"}))
    this.problem = el("p", {class: "problem", role: "alert"})
    const decode = el("select", {id: "set-decode", name: "decode"},
      el("option", {value: "", t: "settings.own"}),
      ...DECODING.map(name => el("option", {value: name, t: `decode.${name}`})))
    form.append(this.models, el("div", {class: "grid"},
      labelled("decode", decode), ...NUMBERS.map(([name, min, max, step]) =>
        labelled(name, el("input", {id: `set-${name}`, name, type: "number", min, max, step,
          placeholder: {sensitivity: "0.5", seed: "0", min_confidence: "0"}[name] ?? null})))),
    this.problem)
    form.addEventListener("submit", event => event.preventDefault())
    form.addEventListener("input", () => this.check())
  }

  /** Offer the models of these names; the first is chosen. */
  offer(names) {
    const chosen = this.chosen()
    this.models.querySelectorAll("label").forEach(one => one.remove())
    names.forEach((name, n) => {
      const box = el("input", {type: "checkbox", name: "model", value: name})
      box.checked = chosen.length ? chosen.includes(name) : n === 0
      this.models.append(el("label", {class: "check"}, box, name))
    })
  }

  chosen() {
    return [...this.form.querySelectorAll("[name=model]:checked")].map(box => box.value)
  }

  /** Whether all is as it must be; says what is not. */
  check() {
    const wrong = [...this.form.querySelectorAll("input[type=number]")].find(one => !one.validity.valid)
    for (const one of this.form.querySelectorAll("input[type=number]")) {
      one.toggleAttribute("aria-invalid", false)
    }
    this.problem.textContent = ""
    delete this.problem.dataset.t
    if (wrong) {
      wrong.setAttribute("aria-invalid", "true")
      tell(this.problem, "settings.range", {name: () => wrong.closest("p").querySelector("label").textContent,
        min: wrong.min, max: wrong.max})
    } else if (this.form.querySelector("[name=model]") && !this.chosen().length) {
      tell(this.problem, "settings.no-model")
    } else if (this.chosen().length > MOST_MODELS) {
      tell(this.problem, "settings.many-models", {most: MOST_MODELS})
    } else {
      return true
    }
    return false
  }

  /** The fields of a job: [[name, value], …]. */
  fields() {
    const fields = ["picture", "caption", "timeline"].map(task => ["task", task])
    fields.push(["words", "true"], ...this.chosen().map(name => ["model", name]))
    for (const {name, value} of this.form.querySelectorAll("select, input[type=number]")) {
      if (value !== "") fields.push([name, value])
    }
    return fields
  }
}

/** A field below its words, with an explanation. */
function labelled(name, input) {
  input.setAttribute("aria-describedby", `about-${name}`)
  return el("p", {class: "field"}, el("label", {for: input.id, t: `settings.${name}`}), input,
    el("span", {class: "faint", id: `about-${name}`, t: `settings.${name}.about`}))
}
