// All captions that a model considered, in a table with the terms of their scores.

import {el} from "./dom.js"

const COLUMNS = ["text", "likelihood", "similarity", "fluency", "score", "drawn", "why"]
const REASONS = [[/^score (\S+) below$/, "why.below"], [/^not fluent: (.+)$/s, "why.fluent"],
  [/^later in the order of (.+) search$/, "why.later"], [/^same score, found later$/, "why.same"]]

const figure = (value, decimals = 2) => value === null || value === undefined ? "–"
  : value.toFixed(decimals).replace("-", "−")

/** The words for a candidate's `reason`: [key, params]; the service's own where it is another one. */
export function reasonWords(reason) {
  if (reason === null || reason === undefined) return ["why.chosen"]
  for (const [pattern, key] of REASONS) {
    const found = pattern.exec(reason)
    if (found) return [key, {what: found[1]}]
  }
  return ["why.other", {what: reason}]
}

export function candidatesTable(record) {
  const head = COLUMNS.map(name => el("th", {scope: "col", role: "columnheader"},
    el("abbr", {t: `column.${name}`, title: `column.${name}.about`})))
  const rows = record.candidates.map(one => el("tr", {role: "row", class: one.reason ? null : "chosen"},
    cell("text", el("span", {lang: "en"}, one.text), one.model && el("small", {}, ` ${one.model}`)),
    cell("likelihood", figure(one.log_likelihood)),
    cell("similarity", figure(one.similarity)),
    cell("fluency", figure(one.fluency), one.fluent === false && el("small", {t: "fluency.not"})),
    cell("score", figure(one.score)),
    cell("drawn", String(one.count ?? 1)),
    cell("why", el("span", {t: reasonWords(one.reason)}))))
  const table = el("table", {role: "table", class: "candidates"},
    el("caption", {class: "hidden", t: ["candidates.title", {count: rows.length}]}),
    el("thead", {role: "rowgroup"}, el("tr", {role: "row"}, ...head)),
    el("tbody", {role: "rowgroup"}, ...rows))
  return el("details", {class: "all"},
    el("summary", {t: ["candidates.title", {count: rows.length}]}),
    table,
    el("dl", {class: "about faint"}, ...COLUMNS.slice(1).flatMap(name =>
      [el("dt", {t: `column.${name}`}), el("dd", {t: `column.${name}.about`})])))
}

/** A cell; its column's name goes before it where the table is folded, on a phone. */
const cell = (name, ...children) => el("td", {role: "cell", class: `c-${name}`},
  el("span", {class: "of", "aria-hidden": "true", t: `column.${name}`}), ...children.filter(Boolean))
