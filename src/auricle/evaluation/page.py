"""The HTML of a report."""

from string import Template

from auricle.page import PLAYER, STYLE

CLIP = Template("""<section>
<h2>$caption</h2>
<p class=facts>$facts</p>
$player
<p class=label>People said</p>
<ul>$references</ul>
$candidates
</section>""")

SOUND = Template("""<div class=picture><img src="$picture" alt="$alt">\
<div class=time><i></i></div></div>
<p class="facts axis"><span>0 s</span><span>$seconds s</span></p>
<audio controls preload=metadata src="$sound"></audio>""")

CANDIDATES = Template("""<details><summary>$count candidates</summary>
<div class=wide><table class=figures><tr><th>candidate$head</tr>
$rows
</table></div></details>""")

PAGE = Template(
    """<!DOCTYPE html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
"""
    + STYLE
    + """\
h1 { margin-bottom: .3rem }
h2 + p { margin-top: 0 }
.part { margin: 2.2rem 0 .4rem; font-size: 1.25rem }
.picture img { height: 8rem; object-fit: fill; image-rendering: auto }
.axis { display: flex; justify-content: space-between; margin: 0 }
.label { color: #666; font-size: .85rem; margin: .6rem 0 0 }
ul { margin: .1rem 0 .6rem; padding-left: 1.2rem }
.wide { overflow-x: auto }
.figures td, .figures th { text-align: right; font-variant-numeric: tabular-nums;
  padding: .15rem 0 .15rem .9rem; white-space: nowrap; font-weight: normal }
.figures th { color: #666; font-size: .85rem; border-bottom: 1px solid #ddd }
.figures td:first-child, .figures th:first-child { text-align: left; padding-left: 0;
  white-space: normal; min-width: 12rem }
.figures td:last-child { text-align: right }
.chosen { font-weight: 600 }
.bad { color: #a33 }
.panels { display: flex; flex-wrap: wrap; gap: .5rem }
.panels svg { width: 18rem; max-width: 100%; height: auto }
summary { cursor: pointer; color: #2f6ea5 }
</style>
<h1>$heading</h1>
<p class=facts>$facts</p>
<section><div class=wide><table class=figures><tr>$columns</tr>
$scores
</table></div>
$remarks</section>
$plots
$errors
$clips
<section><details><summary>All $count clips</summary>
<div class=wide><table class=figures><tr><th>caption<th>clip<th>$ranked_by</tr>
$all
</table></div></details></section>
<script>
"""
    + PLAYER
    + """</script>
</html>
"""
)
