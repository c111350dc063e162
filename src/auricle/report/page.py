"""The page shell: self-contained HTML, with one style and one player script.

It fits a phone: long names break, tables are as wide as they need inside a `div.wide`, which
scrolls, or fold (`table.sources`).
"""

from __future__ import annotations

from html import escape
from string import Template

FIRST, SECOND = "#2f7ebc", "#d9822b"  # colours of a pair

_STYLE = f"""\
:root {{ color-scheme: light dark; --text: #1c1c1c; --faint: #666; --ground: #f6f6f4; --card: #fff;
  --line: #ddd; --link: #2f6ea5; --bad: #a33 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e6e6e3; --faint: #a2a29c; --ground: #17181a; --card: #212327; --line: #3b3e43;
    --link: #7fb6e6; --bad: #f08a8a }}
  .panels svg {{ background: #fff }}
}}
body {{ font: 16px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: var(--text); background: var(--ground); overflow-wrap: anywhere;
  -webkit-text-size-adjust: 100% }}
h1 {{ font-size: 1.4rem; margin-bottom: .3rem }}
h2 {{ font-size: 1.15rem; margin: 0 }}
h2 + p {{ margin-top: 0 }}
section {{ background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  margin: 1.2rem 0; padding: 1rem }}
ul {{ margin: .1rem 0 .6rem; padding-left: 1.2rem }}
summary {{ cursor: pointer; color: var(--link); padding: .6rem 0 }}
.part {{ margin: 2.2rem 0 .4rem; font-size: 1.25rem }}
.facts, .label, .file {{ color: var(--faint); font-size: .85rem }}
.facts {{ margin: .2rem 0 .6rem }}
.label {{ margin: .6rem 0 0 }}
.bad {{ color: var(--bad) }}
.first {{ background: {FIRST} }}
.second {{ background: {SECOND} }}
.bars div {{ height: .5rem; margin-bottom: 2px }}
.picture {{ position: relative }}
.picture img {{ display: block; width: 100%; height: 10rem; object-fit: fill }}
.picture span {{ position: absolute; left: .3rem; transform: translateY(50%); color: #fff;
  font-size: .7rem; text-shadow: 0 0 3px #000 }}
.time {{ position: absolute; inset: 0; cursor: pointer }}
.time i {{ position: absolute; top: 0; bottom: 0; width: 2px; background: #4cd964; opacity: 0 }}
.axis {{ position: relative; height: 1.2rem; color: var(--faint); font-size: .75rem }}
.axis span {{ position: absolute; transform: translateX(-50%); white-space: nowrap }}
audio {{ width: 100%; min-height: 44px; margin: .3rem 0 .5rem }}
table {{ border-spacing: 0; width: 100% }}
td {{ padding: .1rem 1rem .1rem 0; vertical-align: top }}
.sources td:first-child {{ white-space: nowrap; width: 9rem }}
.file {{ text-align: right; padding-right: 0; max-width: 14rem }}
.dot {{ display: inline-block; width: .75rem; height: .75rem; border-radius: 2px;
  margin-right: .5rem }}
.wide {{ overflow-x: auto }}
.figures td, .figures th {{ text-align: right; font-variant-numeric: tabular-nums;
  padding: .15rem 0 .15rem .9rem; white-space: nowrap; font-weight: normal }}
.figures th {{ color: var(--faint); font-size: .85rem; border-bottom: 1px solid var(--line) }}
.figures td:first-child, .figures th:first-child {{ text-align: left; padding-left: 0;
  white-space: normal; min-width: 12rem }}
.chosen {{ font-weight: 600 }}
.panels {{ display: flex; flex-wrap: wrap; gap: .5rem }}
.panels svg {{ width: 18rem; max-width: 100%; height: auto }}
@media (max-width: 40rem) {{
  body {{ margin: 1rem auto; padding: 0 .5rem }}
  section {{ padding: .7rem }}
  .figures {{ font-size: .85rem }}
  .figures td, .figures th {{ padding-left: .6rem }}
  .figures td:first-child, .figures th:first-child {{ min-width: 7rem }}
  .sources td {{ display: block; width: auto; max-width: none; padding-right: 0 }}
  .sources td.file {{ text-align: left; margin-bottom: .6rem }}
  .panels svg {{ width: 100% }}
}}
"""

# In each <section> with a player (`auricle.report.player`), the script draws the time into the
# picture; a click in the picture jumps to that time; one sound plays at a time.
_SCRIPT = """\
for (const audio of document.querySelectorAll("section audio")) {
  const time = audio.closest("section").querySelector(".time")
  const line = time.firstChild
  const draw = () => {
    line.style.opacity = 1
    line.style.left = 100 * audio.currentTime / audio.duration + "%"
    if (!audio.paused) requestAnimationFrame(draw)
  }
  audio.onplay = () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause()
    draw()
  }
  audio.onseeked = draw
  time.onclick = event => {
    const box = time.getBoundingClientRect()
    audio.currentTime = (event.clientX - box.left) / box.width * audio.duration
    audio.play()
  }
}
"""

_PAGE = Template("""<!DOCTYPE html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style</style>
<h1>$title</h1>
<p class=facts>$facts</p>
$body
<script>
$script</script>
</html>
""")


def html_page(title: str, facts: str, body: str, style: str = "", script: str = "") -> str:
    """A whole page; ``title`` and ``facts`` are plain text, ``body`` is HTML. ``style`` and
    ``script`` are of one kind of page, after those of all."""
    return _PAGE.substitute(
        title=escape(title),
        facts=escape(facts),
        body=body,
        style=_STYLE + style,
        script=_SCRIPT + script,
    )
