// The words of the page, in the chosen language. What `tell` wrote follows a change of language.

export const LANGUAGES = {en: "English", ko: "한국어"}
const STORE = "auricle.language"

let words = null  // until they are loaded

/** The language to begin with: the remembered one, else the first known of the browser's. */
export function preferred() {
  const wanted = [remembered(), ...navigator.languages]
  return wanted.map(code => (code ?? "").slice(0, 2)).find(code => code in LANGUAGES) ?? "en"
}

export function remember(code) {
  try { localStorage.setItem(STORE, code) } catch { /* not remembered then */ }
}

function remembered() {
  try { return localStorage.getItem(STORE) } catch { return null }
}

/** Speak the language ``code`` from now on. */
export async function speak(code) {
  const answer = await fetch(`/static/words.${code}.json`)
  if (!answer.ok) throw new Error(`words.${code}.json: ${answer.status}`)
  words = await answer.json()
  document.documentElement.lang = code
  for (const element of document.querySelectorAll("[data-t], [data-t-aria-label], [data-t-title]")) {
    for (const [name, key] of Object.entries(element.dataset)) {
      if (name === "t") tell(element, key, element.told?.[""])
      else if (/^t[A-Z]/.test(name)) {  // "tAriaLabel", of data-t-aria-label
        const attribute = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`).slice(2)
        tell(element, key, element.told?.[attribute], attribute)
      }
    }
  }
}

/** The words of ``key`` with each {name} from ``params``; a function there is called first. With
 * count 1 the words of "key.one", if there are. */
export function t(key, params = {}) {
  if (!words) return ""
  const text = (params.count === 1 && words[`${key}.one`]) || words[key] || key
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = params[name]
    return typeof value === "function" ? value() : value ?? ""
  })
}

/** Write the words of ``key`` into ``element``, or into its ``attribute``, now and whenever the
 * language changes. */
export function tell(element, key, params = {}, attribute = "") {
  element.told = {...element.told, [attribute]: params}
  if (attribute) {
    element.setAttribute(`data-t-${attribute}`, key)
    element.setAttribute(attribute, t(key, params))
  } else {
    element.dataset.t = key
    element.textContent = t(key, params)
  }
  return element
}
