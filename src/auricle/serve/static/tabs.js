// Tabs: one panel is shown at a time. Arrow keys go between the tabs, and the address keeps which is
// chosen: "#search".

import {el} from "./dom.js"

export class Tabs {
  #tabs = new Map()  // name -> its tab

  /** ``panels``: {name: element}; the first is shown until `offer`. */
  constructor(list, panels) {
    Object.assign(this, {list, panels, chosen: Object.keys(panels)[0]})
    for (const name of Object.keys(panels)) {
      const tab = el("button", {type: "button", role: "tab", id: `tab-${name}`, t: `tabs.${name}`,
        "aria-controls": panels[name].id, onclick: () => this.choose(name)})
      this.#tabs.set(name, tab)
      list.append(tab)
    }
    list.setAttribute("role", "tablist")
    list.addEventListener("keydown", event => this.#key(event))
    addEventListener("hashchange", () => this.#follow())
  }

  /** Show the tabs. */
  offer() {
    if (!this.list.hidden) return
    this.list.hidden = false
    for (const [name, panel] of Object.entries(this.panels)) {
      panel.setAttribute("role", "tabpanel")
      panel.setAttribute("aria-labelledby", `tab-${name}`)
    }
    this.#show(this.chosen)
    this.#follow()
  }

  choose(name) {
    history.replaceState(null, "", `#${name}`)
    this.#show(name)
  }

  #show(name) {
    this.chosen = name
    for (const [one, tab] of this.#tabs) {
      tab.setAttribute("aria-selected", String(one === name))
      tab.tabIndex = one === name ? 0 : -1
      this.panels[one].hidden = one !== name
    }
  }

  #follow() {
    const name = location.hash.slice(1)
    if (!this.list.hidden && this.#tabs.has(name)) this.#show(name)
  }

  #key(event) {
    const names = [...this.#tabs.keys()], at = names.indexOf(this.chosen)
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1}[event.key]
    if (to === undefined) return
    event.preventDefault()
    const name = names.at(to % names.length)
    this.choose(name)
    this.#tabs.get(name).focus()
  }
}
