// The timeline as files. A span is {id, start_s, end_s, text, record}; `record` is the service's, or
// null for a span that was added by hand.

import {stamp} from "./times.js"

const oneLine = text => text.split(/\s+/).join(" ").trim()
const inOrder = spans => [...spans].filter(span => oneLine(span.text))
  .sort((one, other) => one.start_s - other.start_s || one.end_s - other.end_s)

/** A cue lasts a millisecond at least: players drop one that does not. */
const cueTimes = (span, mark) => {
  const end = Math.max(Math.round(span.end_s * 1000), Math.round(span.start_s * 1000) + 1) / 1000
  return `${stamp(span.start_s, mark)} --> ${stamp(end, mark)}`
}

/** A text as a cue, where "-->" would read as times. */
const cueText = span => oneLine(span.text).replaceAll("-->", "->")

export const srt = spans => inOrder(spans)
  .map((span, n) => `${n + 1}\n${cueTimes(span, ",")}\n${cueText(span)}\n`)
  .join("\n")

/** WebVTT: &, < and > are escaped. */
export const vtt = spans => ["WEBVTT\n", ...inOrder(spans).map(span => {
  const text = cueText(span).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
  return `${cueTimes(span, ".")}\n${text}\n`
})].join("\n")

/** The records, with the edits. A text that a person wrote has neither score nor confidence. */
export const json = (spans, audio) => JSON.stringify(inOrder(spans).map(span => {
  const times = {start_s: span.start_s, end_s: span.end_s, caption: oneLine(span.text)}
  if (!span.record) {
    return {audio, ...times, score: null, candidates: [], model: "", decode: "", seed: 0,
      confidence: null, edited: true}
  }
  if (times.caption !== oneLine(span.record.caption)) {
    return {...span.record, ...times, score: null, confidence: null, edited: true}
  }
  const moved = span.start_s !== span.record.start_s || span.end_s !== span.record.end_s
  return {...span.record, ...times, ...(moved ? {edited: true} : {})}
}), null, 2) + "\n"

export const FORMATS = {
  srt: {type: "application/x-subrip", write: srt},
  vtt: {type: "text/vtt", write: vtt},
  json: {type: "application/json", write: json},
}
