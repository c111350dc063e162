// Server-sent events by fetch, because EventSource sends no Authorization header.

import {Problem, getJson, pause, request} from "./api.js"

const SILENCE_S = 60  // then the connection counts as lost
const WAITS_S = [.5, 1, 2, 4, 8, 8, 8, 8]  // between tries

/** The events in ``text``, which ends with an empty line: [{id, event, data}, …]. */
export function parsed(text) {
  return text.split(/\r?\n\r?\n/).map(block => {
    const one = {id: null, event: "message", data: []}
    for (const line of block.split(/\r?\n/)) {
      const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)
      if (name === "data") one.data.push(value ?? "")
      else if (name === "id" || name === "event") one[name] = value ?? ""
    }
    return {...one, data: one.data.join("\n")}
  }).filter(one => one.data)
}

/** All events of a body, as they come; ``sign()`` is called for each sign of life. */
async function* read(body, sign) {
  let rest = ""
  for await (const text of texts(body)) {
    sign()
    rest += text
    const end = Math.max(rest.lastIndexOf("\n\n"), rest.lastIndexOf("\r\n\r\n"))
    if (end < 0) continue
    yield* parsed(rest.slice(0, end))
    rest = rest.slice(end).replace(/^[\r\n]+/, "")
  }
}

async function* texts(body) {  // not every browser iterates over a stream by itself
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const {done, value} = await reader.read().catch(error => {
      throw error.name === "AbortError" ? error : new Problem("problem.lost")
    })
    if (done) return
    yield value
  }
}

/** Give each event of the job at ``path`` to ``take(name, data)`` until its "end"; after a cut, go on behind the
 * last one. ``lost(seconds)`` tells of a cut, and ``lost(null)`` of its end. */
export async function follow(path, {signal, take, lost}) {
  let last = null, tries = 0
  for (;;) {
    const silence = new AbortController()
    let timer
    const sign = () => {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), 1000 * SILENCE_S)
    }
    try {
      sign()
      const headers = {Accept: "text/event-stream", ...(last ? {"Last-Event-ID": last} : {})}
      const both = AbortSignal.any([signal, silence.signal])
      const answer = await request(`${path}/events`, {headers, signal: both})
      if (answer.status === 204) return take("end", await getJson(path, {signal}))
      for await (const {id, event, data} of read(answer.body, sign)) {
        if (tries) lost(null)
        tries = 0
        last = id ?? last
        take(event, JSON.parse(data))
        if (event === "end") return
      }
    } catch (error) {
      if (signal.aborted) throw error
      if (!isPassing(error) || tries === WAITS_S.length) throw error
    } finally {
      clearTimeout(timer)
    }
    if (tries === WAITS_S.length) throw new Problem("problem.lost")
    lost(WAITS_S[tries])
    await pause(WAITS_S[tries++], signal)
  }
}

/** A cut connection, or a service that is starting again. */
const isPassing = error => error.name === "AbortError" || ["problem.lost", "problem.busy",
  "problem.server"].includes(error.key)
