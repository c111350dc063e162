"""The page of a map: sounds as points, near where they are alike, that play when chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.report.page import html_page


@dataclass(frozen=True)
class Point:
    """A sound on the map.

    Attributes:
        x, y: from 0 to 1.
        name, caption, kind: what is shown; points of one kind, such as the class that is heard
            most, have one colour.
        address: of the sound, as seen from the page.
        near: the numbers of the points that are most like it, nearest first.
    """

    x: float
    y: float
    name: str
    caption: str
    kind: str
    address: str
    near: tuple[int, ...]


BODY = """<div class=map>
<div class=plane>
<canvas tabindex=-1 aria-hidden=true></canvas>
<p class=tip hidden></p>
<p class=facts>A click plays a sound. Drag moves the map, the wheel zooms. \
<button id=whole>Whole map</button></p>
</div>
<div class=side>
<div aria-live=polite id=chosen><p class=facts>Choose a sound, on the map or in the list.</p></div>
<audio controls preload=none></audio>
<p class=bad id=fault hidden>The browser cannot play this file, or it is no longer there.</p>
<h2 id=heading hidden>Most like it</h2>
<ol id=near aria-labelledby=heading></ol>
<h2>All sounds</h2>
<p><label>Only with the words <input id=words type=search autocomplete=off></label>
<span class=facts id=count aria-live=polite></span></p>
<ul id=list></ul>
</div>
</div>
<script type="application/json" id=points>"""

STYLE = """\
:root { --dot: 55%; --mark: #c2410c }
@media (prefers-color-scheme: dark) { :root { --dot: 68%; --mark: #ffb37a } }
body { max-width: 90rem }
.map { display: grid; grid-template-columns: minmax(0, 3fr) minmax(18rem, 2fr); gap: 1rem }
.plane { position: sticky; top: .5rem; align-self: start }
canvas { width: 100%; height: min(80vh, 60rem); background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; cursor: crosshair; touch-action: none;
  display: block }
.tip { position: absolute; margin: 0; padding: .2rem .5rem; background: var(--card);
  color: var(--text); border: 1px solid var(--line); border-radius: 4px; font-size: .85rem;
  pointer-events: none; max-width: 20rem }
.side ol, .side ul { list-style: none; padding: 0; margin: 0 }
.side li button { display: block; width: 100%; min-height: 44px; padding: .3rem .4rem; border: 0;
  border-top: 1px solid var(--line); background: none; color: inherit; font: inherit;
  text-align: left; cursor: pointer }
.side li small { display: block; color: var(--faint) }
.side li button:hover { background: color-mix(in srgb, var(--link) 12%, transparent) }
button:focus-visible, input:focus-visible { outline: 3px solid var(--mark); outline-offset: -3px }
#list { max-height: 60vh; overflow-y: auto }
#words { font: inherit; min-height: 44px; width: 100%; box-sizing: border-box }
#whole { font: inherit; min-height: 44px }
.side h2 { margin-top: 1rem }
@media (max-width: 50rem) {
  .map { grid-template-columns: minmax(0, 1fr) }
  .plane { position: relative; top: 0 }
  canvas { height: 60vh }
}
"""

# The list shows at most SHOWN of the points that the words leave; the canvas all of them.
SCRIPT = """\
{
  const SHOWN = 200, points = JSON.parse(document.querySelector("#points").textContent)
  const get = id => document.querySelector(id)
  const canvas = get("canvas"), draw2d = canvas.getContext("2d"), tip = get(".tip")
  const audio = get("audio"), list = get("#list"), near = get("#near")
  const text = p => (p.caption + " " + p.kind + " " + p.name).toLowerCase()
  const told = points.map(text), hues = new Map()
  for (const p of points) if (!hues.has(p.kind)) hues.set(p.kind, hues.size * 137.5 % 360)
  let view = {x: .5, y: .5, zoom: 1}, chosen = -1, kept = points.map(() => true), start = null
  const style = name => getComputedStyle(document.documentElement).getPropertyValue(name)
  const place = p => {
    const side = Math.min(canvas.clientWidth, canvas.clientHeight) * .94 * view.zoom
    return [canvas.clientWidth / 2 + (p.x - view.x) * side,
      canvas.clientHeight / 2 + (p.y - view.y) * side, side]
  }
  const draw = () => {
    const ratio = devicePixelRatio || 1
    canvas.width = canvas.clientWidth * ratio
    canvas.height = canvas.clientHeight * ratio
    draw2d.setTransform(ratio, 0, 0, ratio, 0, 0)
    const light = style("--dot"), mark = style("--mark")
    const dot = (p, radius, colour) => {
      const [x, y] = place(p)
      draw2d.fillStyle = colour
      draw2d.beginPath()
      draw2d.arc(x, y, radius, 0, 7)
      draw2d.fill()
    }
    const size = Math.max(2, Math.min(6, 120 / Math.sqrt(points.length))) * Math.sqrt(view.zoom)
    points.forEach((p, n) => dot(p, size,
      `hsl(${hues.get(p.kind)} 60% ${light} / ${kept[n] ? .85 : .12})`))
    if (chosen < 0) return
    const [x, y] = place(points[chosen])
    draw2d.strokeStyle = mark
    for (const n of points[chosen].near) {
      draw2d.beginPath()
      draw2d.moveTo(x, y)
      draw2d.lineTo(...place(points[n]).slice(0, 2))
      draw2d.stroke()
    }
    dot(points[chosen], size + 3, mark)
  }
  const entry = n => {
    const item = document.createElement("li"), button = document.createElement("button")
    const small = document.createElement("small")
    button.append(points[n].caption, small)
    small.textContent = points[n].name
    button.onclick = () => choose(n)
    item.append(button)
    return item
  }
  const choose = n => {
    chosen = n
    const p = points[n], title = document.createElement("h2"), facts = document.createElement("p")
    title.textContent = p.caption
    facts.textContent = p.name + (p.kind ? " · " + p.kind : "")
    facts.className = "facts"
    get("#chosen").replaceChildren(title, facts)
    get("#heading").hidden = !p.near.length
    near.replaceChildren(...p.near.map(entry))
    get("#fault").hidden = true
    audio.src = p.address
    audio.play().catch(() => {})
    draw()
  }
  audio.onerror = () => { get("#fault").hidden = false }
  const filter = () => {
    const words = get("#words").value.toLowerCase().split(/\\s+/)
    kept = told.map(one => words.every(word => one.includes(word)))
    const left = [...kept.keys()].filter(n => kept[n])
    list.replaceChildren(...left.slice(0, SHOWN).map(entry))
    get("#count").textContent = left.length > SHOWN
      ? `${left.length} sounds, the first ${SHOWN} are listed` : `${left.length} sounds`
    draw()
  }
  get("#words").oninput = filter
  for (const one of [list, near]) one.onkeydown = event => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key], all = [...one.querySelectorAll("button")]
    const next = step && all[all.indexOf(document.activeElement) + step]
    if (next) { next.focus(); event.preventDefault() }
  }
  const under = event => {
    const box = canvas.getBoundingClientRect()
    let best = -1, least = 144
    points.forEach((p, n) => {
      const [x, y] = place(p)
      const far = (x - event.clientX + box.left) ** 2 + (y - event.clientY + box.top) ** 2
      if (kept[n] && far < least) { best = n; least = far }
    })
    return best
  }
  canvas.onpointerdown = event => {
    start = {x: event.clientX, y: event.clientY, view: {...view}, moved: false}
    canvas.setPointerCapture(event.pointerId)
  }
  canvas.onpointermove = event => {
    if (start) {
      const side = place(points[0] || {x: 0, y: 0})[2]
      const x = event.clientX - start.x, y = event.clientY - start.y
      start.moved ||= Math.hypot(x, y) > 4
      if (start.moved) view = {...view, x: start.view.x - x / side, y: start.view.y - y / side}
      return draw()
    }
    const n = under(event), box = canvas.getBoundingClientRect()
    tip.hidden = n < 0
    if (n < 0) return
    tip.textContent = points[n].caption
    tip.style.left = Math.min(event.clientX - box.left + 12, box.width - 160) + "px"
    tip.style.top = event.clientY - box.top + 12 + "px"
  }
  canvas.onpointerup = event => {
    const clicked = start && !start.moved, n = under(event)
    start = null
    if (clicked && n >= 0) choose(n)
  }
  canvas.onpointerleave = () => { tip.hidden = true }
  canvas.onpointercancel = () => { start = null }
  canvas.addEventListener("wheel", event => {
    const box = canvas.getBoundingClientRect(), side = place(points[0] || {x: 0, y: 0})[2]
    const x = (event.clientX - box.left - box.width / 2) / side
    const y = (event.clientY - box.top - box.height / 2) / side
    const zoom = Math.max(1, Math.min(60, view.zoom * Math.exp(-event.deltaY / 400)))
    const rest = 1 - view.zoom / zoom
    view = zoom === 1 ? {x: .5, y: .5, zoom} : {x: view.x + x * rest, y: view.y + y * rest, zoom}
    draw()
    event.preventDefault()
  }, {passive: false})
  get("#whole").onclick = () => { view = {x: .5, y: .5, zoom: 1}; draw() }
  addEventListener("resize", draw)
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw)
  filter()
}
"""


def map_page(title: str, facts: str, points: Sequence[Point]) -> str:
    """The page; ``title`` and ``facts`` are plain text."""
    rows = [{name: getattr(one, name) for name in Point.__match_args__} for one in points]
    data = json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c")
    return html_page(title, facts, f"{BODY}{data}</script>", STYLE, SCRIPT)
