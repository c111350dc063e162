// Times of a recording, in seconds.

/** "0:03", "1:02:03"; with ``decimals`` 1 "0:03.2". */
export function clock(seconds, decimals = 0) {
  const unit = 10 ** decimals
  const units = Math.round(Math.max(0, seconds) * unit)
  const minutes = Math.floor(units / (60 * unit)), rest = (units % (60 * unit)) / unit
  const told = rest.toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0")
  const hour = Math.floor(minutes / 60)
  return hour ? `${hour}:${String(minutes % 60).padStart(2, "0")}:${told}` : `${minutes}:${told}`
}

/** The seconds that "62.5", "1:02.5" or "1:02:03,250" mean; null if it is no time. */
export function seconds(text) {
  const found = /^\s*(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:[.,]\d{1,9})?)\s*$/.exec(text)
  if (!found) return null
  const [, hour, minute, rest] = found
  const second = Number(rest.replace(",", "."))
  if (minute !== undefined && second >= 60) return null
  if (hour !== undefined && Number(minute) >= 60) return null
  return Number(hour ?? 0) * 3600 + Number(minute ?? 0) * 60 + second
}

/** "00:01:02,345": a time of SRT; with ``mark`` "." of WebVTT. */
export function stamp(time, mark = ",") {
  const ms = Math.round(Math.max(0, time) * 1000)
  const two = number => String(number).padStart(2, "0")
  const second = Math.floor(ms / 1000)
  return `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`
    + `${mark}${String(ms % 1000).padStart(3, "0")}`
}

const STEPS = [.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600,
  7200, 21600, 43200, 86400]

/** Round times of an axis, at most ``most`` steps, with their labels: [[2.5, "2.5 s"], …]. */
export function axis(duration, most = 10) {
  const step = STEPS.find(one => duration <= most * one) ?? 86400
  const count = Math.floor(duration / step + 1e-9) + 1
  return Array.from({length: count}, (_, n) => n * step)
    .map(time => [time, step < 10 ? `${+time.toFixed(2)} s` : clock(time)])
}
