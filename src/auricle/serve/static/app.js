// The page: files and recordings come in, each gets a card; and sounds of an index are found.

import {getJson, keyring} from "./api.js"
import {Card} from "./card.js"
import {announce, el} from "./dom.js"
import {LANGUAGES, preferred, remember, speak, t, tell} from "./i18n.js"
import {Recorder} from "./recorder.js"
import {Search} from "./search.js"
import {Settings} from "./settings.js"
import {Tabs} from "./tabs.js"
import {clock} from "./times.js"

const UPLOADS = 2  // at a time
const FALL = .04  // of the level meter, in 50 ms
const QUIET = .003  // of full scale, -50 dB: no sound comes in

const $ = id => document.getElementById(id)
const settings = new Settings($("settings-form"))
const tabs = new Tabs($("tabs"), {caption: $("caption-panel"), search: $("search-panel")})
const search = new Search($("search-panel"), {caption: captionFound, limits: () => limits})
let limits = {}

async function begin() {
  await speak(preferred())
  chooseLanguage()
  askForKey()
  takeFiles()
  recordSound()
  document.documentElement.dataset.ready = ""
  learn()
}

/** What the service serves and allows; again with a key, and when the connection is back. */
async function learn() {
  try {
    const [models, found] = await Promise.all([getJson("/v1/models"), getJson("/v1/limits")])
    limits = found
    settings.offer(models.data.map(one => one.id))
    if (limits.search) {
      await getJson("/v1/index").then(index => search.offer(index), () => {})  // told by a search
      tabs.offer()
    }
    tell($("limits"), "intake.limit", {limit: limits.max_upload_mb})
  } catch (problem) {
    tell($("limits"), problem.key === "problem.lost" ? "intake.lost" : "intake.unknown")
    setTimeout(learn, 5000)
  }
}

function chooseLanguage() {
  const choice = $("language")
  choice.append(...Object.entries(LANGUAGES).map(([code, name]) =>
    el("option", {value: code, lang: code}, name)))
  choice.value = document.documentElement.lang
  choice.addEventListener("change", async () => {
    await speak(choice.value)
    remember(choice.value)
  })
}

/** The field for the API key, which is there only when the service wants one. */
function askForKey() {
  keyring.addEventListener("needed", () => {
    const first = $("key").hidden
    $("key").hidden = false
    tell($("key-note"), keyring.key ? "key.wrong" : "key.note")
    if (first) $("key-field").focus()
  })
  keyring.addEventListener("accepted", () => { $("key").hidden = true })
  $("key-form").addEventListener("submit", event => {
    event.preventDefault()
    keyring.use($("key-field").value.trim())
    $("key-field").value = ""
  })
}

function takeFiles() {
  const drop = $("drop")
  $("pick").addEventListener("click", () => $("files").click())
  $("files").addEventListener("change", () => {
    add([...$("files").files])
    $("files").value = ""
  })
  const over = event => {
    if (![...event.dataTransfer.types].includes("Files")) return
    event.preventDefault()
    const place = tabs.chosen === "search" ? search.form : drop
    place.classList.toggle("over", event.type === "dragover")
  }
  for (const kind of ["dragover", "dragleave"]) document.addEventListener(kind, over)
  document.addEventListener("drop", event => {
    over(event)
    const files = [...event.dataTransfer.files]
    if (!files.length) return
    if (tabs.chosen === "search") search.by(files[0])
    else add(files)
  })
}

/** A card for each file; the newest are on top, in their order. */
function add(files) {
  const problem = $("intake-problem")
  problem.textContent = ""
  delete problem.dataset.t
  if (!settings.check()) {
    $("settings").open = true
    return tell(problem, "intake.settings")
  }
  const cards = files.map(file => new Card(file, {turn, options: () => settings.fields(), limits: () => limits,
    removed: card => removed(card)}))
  $("results").querySelector("h2").after(...cards.map(card => card.element))
  announce(t("added", {count: cards.length}))
  for (const card of cards) card.run()
  cards[0]?.element.scrollIntoView({block: "nearest"})
}

/** Caption a sound that was found. */
function captionFound(file) {
  tabs.choose("caption")
  add([file])
}

function removed({element, file}) {
  const next = element.nextElementSibling ?? element.previousElementSibling
  element.remove()
  announce(t("removed", {name: file.name}))
  const title = next?.matches(".card") ? next.querySelector("h2") : $("pick")
  title.focus()
}

let uploading = 0
const queue = []

/** Wait until one of the uploads may begin; resolves to a function that ends it. */
function turn(signal) {
  const end = () => {
    uploading--
    next()
  }
  const next = () => {
    while (uploading < UPLOADS && queue.length) {
      uploading++
      queue.shift()(end)
    }
  }
  return new Promise((resolve, reject) => {
    queue.push(resolve)
    signal.addEventListener("abort", () => {
      const at = queue.indexOf(resolve)
      if (at >= 0) queue.splice(at, 1)
      reject(new DOMException("cancelled", "AbortError"))
    }, {once: true})
    next()
  })
}

function recordSound() {
  let recorder = null
  const problem = $("intake-problem"), bar = document.querySelector(".level i")
  const show = recording => {
    $("recorder").hidden = !recording
    $("pick").disabled = $("record").disabled = recording
  }
  let quiet_s = 0, shown = 0
  const heard = (peak, seconds) => {
    $("recorded").textContent = clock(Math.floor(seconds))
    const decibels = 20 * Math.log10(Math.max(peak, 1e-3))
    shown = Math.max((decibels + 60) / 60, shown - FALL)
    bar.style.transform = `scaleX(${Math.max(0, shown).toFixed(3)})`
    const before = quiet_s
    quiet_s = peak < QUIET ? quiet_s + .05 : 0
    if (quiet_s >= 3 && before < 3) tell($("heard"), "recorder.quiet")
    else if (!quiet_s && before >= 3) tell($("heard"), "recorder.heard")
    const most = limits.max_upload_mb * 2 ** 20
    if (recorder && 2 * recorder.samples + 100_000 > most) finish()
  }
  const end = () => {
    const one = recorder
    recorder = null
    show(false)
    $("record").focus()
    return one
  }
  const finish = () => {
    const time = new Date(Date.now() - 60_000 * new Date().getTimezoneOffset()).toISOString()
    add([end().finish(`recording-${time.slice(0, 19).replaceAll(":", "-").replace("T", "-")}.wav`)])
  }
  $("record").addEventListener("click", async () => {
    problem.textContent = ""
    const one = new Recorder()
    quiet_s = shown = 0
    $("recorded").textContent = clock(0)
    $("heard").textContent = ""
    delete $("heard").dataset.t
    $("record").disabled = true
    try {
      await one.start(heard)
      recorder = one
      show(true)
      announce(t("recorder.on"))
      $("record-stop").focus()
    } catch (error) {
      show(false)
      tell(problem, error.key ?? "recorder.failed")
      $("record").focus()
    }
  })
  $("record-stop").addEventListener("click", finish)
  $("record-discard").addEventListener("click", () => end().discard())
}

begin()
