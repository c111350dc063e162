// What went wrong, in words.

import {Problem} from "./api.js"
import {el} from "./dom.js"

/** Elements that say what an error means and what to do; ``limits``: of the service. */
export function problemElements(error, limits = {}) {
  if (!(error instanceof Problem)) console.error(error)
  const known = error instanceof Problem ? error : new Problem("problem.page", {message: error.message})
  return [el("p", {t: [known.key, {limit: limits.max_upload_mb ?? "?", ...known.params}]}),
    ...(known.said ? [el("p", {class: "said-by", lang: "en"}, known.said)] : [])]
}
