// A timeline that is edited: spans {id, start_s, end_s, text, record} in order of time. A span never
// changes; an edit puts another one in its place, so that undo is to take the list before it.

import {clock, seconds} from "./times.js"

const MOST_UNDONE = 200
let ids = 0

const inOrder = spans =>
  [...spans].sort((one, other) => one.start_s - other.start_s || one.end_s - other.end_s || one.id - other.id)

/** The span of a record of the service. */
export const spanOf = record => ({id: ++ids, start_s: record.start_s, end_s: record.end_s,
  text: record.caption, record})

export class Edits extends EventTarget {
  spans = []
  #before = []

  get canUndo() { return this.#before.length > 0 }

  /** Take records that the service has found; they are no edit. */
  append(records) {
    const found = records.map(spanOf)
    this.#before = this.#before.map(spans => inOrder([...spans, ...found]))
    this.#now(inOrder([...this.spans, ...found]))
  }

  add(start_s, end_s, text) {
    const span = {id: ++ids, start_s, end_s, text, record: null}
    this.#edit([...this.spans, span])
    return span
  }

  change(span, values) {
    const changed = {...span, ...values}
    this.#edit(this.spans.map(one => one.id === span.id ? changed : one))
    return changed
  }

  remove(span) {
    this.#edit(this.spans.filter(one => one.id !== span.id))
  }

  undo() {
    if (this.canUndo) this.#now(this.#before.pop())
  }

  #edit(spans) {
    this.#before = [...this.#before, this.spans].slice(-MOST_UNDONE)
    this.#now(inOrder(spans))
  }

  #now(spans) {
    this.spans = spans
    this.dispatchEvent(new Event("change"))
  }
}

/** What a person wrote as a span's values: {values}, or the rule that it breaks and where:
 * {field, key, params}. A time that was left as it is shown keeps its exact value. */
export function checked(span, {text, start, end}, duration) {
  const time = (written, exact) => written.trim() === clock(exact, 3) ? exact : seconds(written)
  const start_s = time(start, span.start_s), end_s = time(end, span.end_s)
  const limit = {duration: clock(duration, 3)}
  if (!text.trim()) return {field: "text", key: "edit.empty"}
  if (start_s === null) return {field: "start", key: "edit.no-time", params: {written: start}}
  if (end_s === null) return {field: "end", key: "edit.no-time", params: {written: end}}
  if (start_s >= duration) return {field: "start", key: "edit.after-end", params: limit}
  if (end_s > duration + .0005) return {field: "end", key: "edit.after-end", params: limit}
  if (end_s <= start_s) return {field: "end", key: "edit.not-after"}
  return {values: {text: text.trim().split(/\s+/).join(" "), start_s, end_s: Math.min(end_s, duration)}}
}

/** The spans in rows, none of which overlap: [[span, …], …]. */
export function lanes(spans) {
  const rows = []
  for (const span of spans) {
    const row = rows.find(one => one.at(-1).end_s <= span.start_s)
    if (row) row.push(span)
    else rows.push([span])
  }
  return rows
}
