// Requests to the service, with the API key where it wants one.

const STORE = "auricle.key"

/** Why something failed: ``key`` of the words that say what to do, their ``params``, and the
 * service's own ``message``, which is English. */
export class Problem extends Error {
  constructor(key, {params = {}, message = "", retry_s = null} = {}) {
    super(message || key)
    Object.assign(this, {key, params, said: message, retry_s})
  }
}

/** The key, and who waits for it. Events: "needed" when a request was refused, "accepted" when one
 * was not, after that. */
class Keyring extends EventTarget {
  #waiting = null
  key = sessionStorage.getItem(STORE)

  use(key) {
    this.key = key
    sessionStorage.setItem(STORE, key)
    this.#waiting?.resolve()
    this.#waiting = null
  }

  /** Wait until a person has given another key. */
  async ask(signal) {
    this.#waiting ??= deferred()
    this.dispatchEvent(new Event("needed"))
    await Promise.race([this.#waiting.promise, aborted(signal)])
  }
}

const deferred = () => {
  const one = {}
  one.promise = new Promise((resolve, reject) => Object.assign(one, {resolve, reject}))
  return one
}

/** Rejects when ``signal`` is aborted. */
const aborted = signal => new Promise((_, reject) => {
  const fail = () => reject(new DOMException("cancelled", "AbortError"))
  if (signal?.aborted) fail()
  else signal?.addEventListener("abort", fail, {once: true})
})

export const keyring = new Keyring()

/** Wait; rejects at once when ``signal`` is aborted. */
export const pause = (seconds, signal) =>
  Promise.race([new Promise(resolve => setTimeout(resolve, 1000 * seconds)), aborted(signal)])

/** Send by ``send(headers)``, again with another key for as long as the answer is 401. */
export async function authorised(send, signal) {
  for (let asked = false;;) {
    const key = keyring.key
    const answer = await send(key ? {Authorization: `Bearer ${key}`} : {})
    if (answer.status !== 401) {
      if (asked) keyring.dispatchEvent(new Event("accepted"))
      return answer
    }
    asked = true
    if (key === keyring.key) await keyring.ask(signal)
  }
}

/** The answer to a request; a Problem if it is none. */
export async function request(path, {signal, ...options} = {}) {
  const answer = await authorised(async headers => {
    try {
      return await fetch(path, {...options, headers: {...headers, ...options.headers}, signal})
    } catch (error) {
      if (error.name === "AbortError") throw error
      throw new Problem("problem.lost")
    }
  }, signal)
  if (!answer.ok) {
    throw problemOf(answer.status, await answer.text(), answer.headers.get("Retry-After"))
  }
  return answer
}

export const getJson = async (path, options) => (await request(path, options)).json()

/** What an answer that is no success means. */
export function problemOf(status, body, retryAfter) {
  let error = {}
  try { error = JSON.parse(body).error ?? {} } catch { /* a proxy's page */ }
  const message = typeof error.message === "string" ? error.message : ""
  const retry_s = retryAfter && Number.isFinite(+retryAfter) ? Math.max(1, +retryAfter) : null
  if (status === 429 || (status === 503 && retry_s)) {
    return new Problem("problem.busy", {message, retry_s: retry_s ?? 5})
  }
  if (error.code === "job_not_found") return new Problem("problem.gone")
  if (error.code === "file_gone" || error.code === "sound_not_found") return new Problem("problem.sound-gone")
  if (status === 413) return new Problem("problem.large")
  const key = {415: "problem.unusable", 422: "problem.unusable"}[status] ?? (status < 500 ? "problem.refused" : "problem.server")
  return new Problem(key, {message, params: {status}})
}
