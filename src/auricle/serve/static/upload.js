// A file goes up as one job, by XMLHttpRequest, because fetch tells no progress.

import {Problem, authorised, pause, problemOf} from "./api.js"

/** Create the job of ``file``; its status. ``progress(sent, total)`` in bytes; ``busy(seconds)``
 * counts down to the next try while the service has no room. */
export async function upload(file, fields, {signal, progress, busy}) {
  for (;;) {
    const answer = await authorised(headers => send(file, fields, headers, signal, progress), signal)
    if (answer.status === 202) return JSON.parse(answer.body)
    const problem = problemOf(answer.status, answer.body, answer.retryAfter)
    if (problem.key !== "problem.busy") throw problem
    for (let left = Math.ceil(problem.retry_s); left > 0; left--) {
      busy(left)
      await pause(1, signal)
    }
  }
}

function send(file, fields, headers, signal, progress) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest()
    const form = new FormData()
    for (const [name, value] of fields) form.append(name, value)
    form.append("file", file, file.name)
    const cancelled = () => reject(new DOMException("cancelled", "AbortError"))
    if (signal.aborted) return cancelled()
    signal.addEventListener("abort", () => call.abort(), {once: true})
    call.open("POST", "/v1/jobs")
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value)
    call.upload.addEventListener("progress", event => progress(event.loaded, event.total))
    call.addEventListener("abort", cancelled)
    call.addEventListener("error", () => reject(new Problem("problem.lost")))
    call.addEventListener("load", () => resolve({
      status: call.status, body: call.responseText, retryAfter: call.getResponseHeader("Retry-After"),
    }))
    call.send(form)
  })
}
