// Elements by function calls.

import {tell} from "./i18n.js"

const SVG = "http://www.w3.org/2000/svg"

/** An element. ``props``: `class`, `on…` listeners, `t` (words: "key" or ["key", params]), `label`
 * and `title` (words too); all others are attributes, without those that are null or false. */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "t") tell(element, ...[value].flat())
    else if (name === "label") tell(element, ...named(value, "aria-label"))
    else if (name === "title") tell(element, ...named(value, "title"))
    else element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.filter(child => child !== null && child !== undefined))
  return element
}

const named = (value, attribute) => {
  const [key, params = {}] = [value].flat()
  return [key, params, attribute]
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** An icon of the sprite in index.html. */
export const icon = name => svg("svg", {"aria-hidden": "true"}, svg("use", {href: `#i-${name}`}))

/** A button with an icon and words. */
export const button = (name, words, onclick, props = {}) =>
  el("button", {type: "button", onclick, ...props}, icon(name), el("span", {t: words}))

/** A button of an icon alone, whose words are its name and its tooltip. */
export const iconButton = (name, words, onclick) =>
  el("button", {type: "button", class: "icon", onclick, label: words, title: words}, icon(name))

/** Say something to screen readers, once. */
export function announce(text) {
  document.querySelector("#live").textContent = text
}

/** Offer ``text`` as a file. */
export function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], {type}))
  el("a", {href: address, download: name}).click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** Put ``text`` on the clipboard; false where the browser does not allow it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {  // not a secure context: the old way
    const area = el("textarea", {class: "hidden", "aria-hidden": "true", tabindex: "-1"})
    const focused = document.activeElement
    document.body.append(area)
    area.value = text
    area.select()
    const done = document.execCommand("copy")
    area.remove()
    focused?.focus()
    return done
  }
}
