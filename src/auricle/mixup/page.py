"""The HTML of a preview: a page, and a card for each mix-up."""

from string import Template

ROW = Template(
    '<tr><td><span class="dot $name"></span>$time</td><td>$caption</td>'
    "<td class=file>$file</td></tr>"
)

CARD = Template("""<section>
<h2>$caption</h2>
<p class=facts>$facts</p>
<div class=picture><img src="$picture" alt="$alt"><div class=time><i></i></div></div>
<audio controls preload=metadata src="$sound"></audio>
<table>$rows</table>
</section>""")

PAGE = Template("""<!DOCTYPE html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #1c1c1c; background: #f6f6f4 }
h1 { font-size: 1.4rem; margin-bottom: 0 }
h2 { font-size: 1.15rem; margin: 0 }
section { background: #fff; border: 1px solid #ddd; border-radius: 6px; margin: 1.2rem 0;
  padding: 1rem }
.facts, .file { color: #666; font-size: .85rem }
.facts { margin: .2rem 0 .6rem }
.picture { position: relative }
.picture img { display: block; width: 100% }
.time { position: absolute; left: $left; width: $width; top: 0; bottom: 0; cursor: pointer }
.time i { position: absolute; top: 0; bottom: $bottom; width: 2px; background: #4cd964; opacity: 0 }
audio { width: 100%; margin: .5rem 0 }
table { border-spacing: 0; width: 100% }
td { padding: .1rem 1rem .1rem 0; vertical-align: top }
td:first-child { white-space: nowrap; width: 9rem }
.file { text-align: right; padding-right: 0; overflow-wrap: anywhere; max-width: 14rem }
.dot { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px;
  margin-right: .5rem }
.first { background: $first }
.second { background: $second }
</style>
<h1>$title</h1>
<p class=facts>$note. Does the caption say what is heard, all of it, in this order?</p>
$cards
<script>
for (const section of document.querySelectorAll("section")) {
  const audio = section.querySelector("audio"), time = section.querySelector(".time")
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
</script>
</html>
""")
