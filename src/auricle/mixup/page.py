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
$style.time { left: $left; width: $width }
.time i { bottom: $bottom }
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
$player</script>
</html>
""")
