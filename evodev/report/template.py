"""The page's template: jinja2, autoescaped (but for our own style sheet), no script, nothing fetched."""

STYLE = """
:root { color-scheme: light; --ink: #22262b; --faint: #5b6470; --line: #dfe3e8; --blue: #08519c; --warn: #8a3b00; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.55 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 22px 64px; }
header p, .faint, figcaption, caption { color: var(--faint); }
header p { margin: 0; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 46px 0 10px; padding-top: 14px; border-top: 2px solid var(--ink); }
h3 { font-size: 15px; margin: 26px 0 6px; }
nav { margin: 10px 0 0; font-size: 13.5px; }
nav a { color: var(--blue); margin-right: 14px; text-decoration: none; }
.verdict { margin: 22px 0 0; padding: 16px 20px; background: #f3f6fa; border-left: 5px solid var(--blue); }
.verdict p { margin: 0; max-width: 112ch; }
.verdict p:first-child { font-size: 18px; font-weight: 600; line-height: 1.4; margin-bottom: 8px; }
.verdict p + p { margin-top: 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }
caption { caption-side: bottom; text-align: left; padding-top: 8px; font-size: 13px; max-width: 110ch; }
th, td { padding: 4px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; vertical-align: bottom; border-bottom: 1.5px solid var(--ink); }
th:first-child, td:first-child, .left td, .left th { text-align: left; }
td small { display: block; color: var(--faint); font-size: 10px; letter-spacing: -.01em; white-space: nowrap; }
td.arm { min-width: 130px; }
.left td, .left th { padding: 4px 6px; }
tr.role td { padding-top: 14px; border-bottom-color: #9aa1ab; color: var(--faint); font-weight: 600; }
tr.evolved td { background: #f3f6fa; }
tr.evolved td:first-child { font-weight: 700; color: var(--blue); }
figure { margin: 22px 0 30px; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: 13.5px; max-width: 105ch; margin-top: 6px; }
figcaption b { color: var(--ink); }
.alert { margin: 0 0 18px; padding: 9px 16px; background: #fdf1e6; border-left: 5px solid var(--warn); }
.said { max-width: 112ch; }
td.holds { white-space: nowrap; }
td.why { max-width: 70ch; }
.warn { color: var(--warn); font-weight: 600; }
.pair { display: flex; flex-wrap: wrap; gap: 12px 44px; }
.pair > div { flex: 1 1 320px; }
code, pre { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: #f6f7f9; padding: 12px 16px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--blue); }
@media print { nav { display: none; } h2, figure { break-inside: avoid; } }
"""

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ name }} – evodev report</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
{%- macro picture(figure) %}
<figure>
<img width="{{ figure.size[0] }}" height="{{ figure.size[1] }}" alt="{{ figure.title }}"
 src="data:image/png;base64,{{ figure.base64 }}">
<figcaption><b>{{ figure.title }}.</b> {{ figure.caption }}</figcaption>
</figure>
{%- endmacro %}
{%- macro number(cell) %}
{%- set parts = cell.split(' [', 1) %}<td>{{ parts[0] }}
{%- if parts|length > 1 %}<small>[{{ parts[1].split(', ', 2)[:2]|join(', ') }}</small>
{%- if parts[1].split(', ')|length > 2 %}<small>{{ parts[1].split(', ', 2)[2] }}</small>{% endif %}{% endif %}</td>
{%- endmacro %}
{%- macro grid(header, rows, caption) %}
<div class="scroll">
<table>
<caption>{{ caption }}</caption>
<tr>{% for title in header %}<th>{{ title }}</th>{% endfor %}</tr>
{%- for row in rows %}
<tr><td class="arm">{{ row[0] }}</td>{% for cell in row[1:] %}{{ number(cell) }}{% endfor %}</tr>
{%- endfor %}
</table>
</div>
{%- endmacro %}
{%- macro pairs(rows) %}
<table class="left">
{%- for row in rows %}
<tr><td>{{ row.label }}{% if row.note %}<small style="white-space: normal">{{ row.note }}</small>{% endif %}</td>
<td style="text-align: right"{% if row.warn %} class="warn"{% endif %}>{{ row.value }}</td></tr>
{%- endfor %}
</table>
{%- endmacro %}
{% if warning %}<p class="alert warn">{{ warning[0]|upper }}{{ warning[1:] }}.</p>{% endif %}
<header>
<h1>{{ name }}</h1>
<p>{{ subtitle }}</p>
{% if held_out %}<p>Held out – {{ held_out }}</p>{% endif %}
<nav>{% for id, title in sections %}<a href="#{{ id }}">{{ title }}</a>{% endfor %}</nav>
</header>

<div class="verdict">{% for sentence in verdict %}<p>{{ sentence }}</p>{% endfor %}</div>

{% if table %}
<h2 id="results">Results</h2>
<div class="scroll">
<table>
<caption>{{ table.caption }}</caption>
<tr>{% for title in table.header %}<th>{{ title }}</th>{% endfor %}</tr>
{%- for row in table.rows %}
{%- if row.first %}
<tr class="role"><td colspan="{{ table.header|length }}">{{ row.first }}</td></tr>
{%- endif %}
<tr class="{{ row.css }}">
{%- for cell in row.cells %}
{%- if loop.first %}<td class="arm">{{ cell }}</td>{% else %}{{ number(cell) }}{% endif %}
{%- endfor %}
</tr>
{%- endfor %}
</table>
</div>
<details><summary>how each arm came about</summary>
<table class="left">
{%- for name, note in table.notes %}
<tr><td>{{ name }}</td><td>{{ note }}</td></tr>
{%- endfor %}
</table>
</details>
{% for figure in results %}{{ picture(figure) }}{% endfor %}
{% if tests %}
<h3>Against the champion, seed by seed</h3>
{{ grid(tests.header, tests.rows, tests.caption) }}
{% endif %}
{% if factorial %}
<h3>Topology, weights, rates and read-out told apart</h3>
{{ grid(factorial[0], factorial[1], factorial[2]) }}
{% endif %}
{% if curse and not levels %}<p class="said">{{ curse }}</p>{% endif %}
{% endif %}

{% if levels %}
<h2 id="levels">Held-out levels</h2>
{{ grid(levels.header, levels.rows, "Other lives than those of the results above, nearer and further; mean [95% interval].") }}
<table class="left">
{%- for level, what in levels.held_out %}
<tr><td>{{ level }}</td><td>{{ what }}</td></tr>
{%- endfor %}
</table>
{% if curse %}<p class="said">{{ curse }}</p>{% endif %}
{% endif %}

{% if fairness %}
<h2 id="fairness">Fairness rules</h2>
<p class="said">{{ fairness.text }}</p>
<table class="left">
<tr><th></th><th>rule</th><th>in this run</th><th>why</th></tr>
{%- for row in fairness.rows %}
<tr><td>{{ row.rule }}</td><td>{{ row.name }}</td>
<td class="holds{% if row.holds is false %} warn{% endif %}">{{ row.said }}</td><td class="why">{{ row.why }}</td></tr>
{%- endfor %}
</table>
{% endif %}

{% if search %}
<h2 id="search">Search</h2>
{% if seeds_note %}<p class="said">{{ seeds_note }}</p>{% endif %}
{% for figure in search %}{{ picture(figure) }}{% endfor %}
{% if front %}
<h3>Trade-off</h3>
<div class="scroll">
<table>
<caption>{{ front_caption }}</caption>
<tr>{% for title in front[0] %}<th>{{ title }}</th>{% endfor %}</tr>
{%- for row in front[1] %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</table>
</div>
{% endif %}
{% endif %}

<h2 id="champion">Champion</h2>
{% if seeds_note and not search %}<p class="said">{{ seeds_note }}</p>{% endif %}
{% for figure in champion %}{{ picture(figure) }}{% endfor %}

<h2 id="ledgers">Cost and compactness</h2>
{% if costs %}
{{ grid(costs[0], costs[1], "Spent before any held-out life was lived; what is not named took nothing, a dash is not counted.") }}
{% endif %}
<div class="pair">
{% if ledgers %}
{% if ledgers[0] %}<div><h3>The search</h3>{{ pairs(ledgers[0]) }}</div>{% endif %}
<div><h3>Baselines and break-even</h3>{{ pairs(ledgers[1]) }}</div>
{% endif %}
<div><h3>Compactness</h3>{{ pairs(compactness) }}</div>
</div>

<h2 id="genome">Genome</h2>
{{ picture(genome) }}
<div class="scroll">
<table>
<caption>The value that development and learning see is center + scale × the number in the genome.</caption>
<tr><th>gene</th><th>shape</th><th>numbers</th><th>center</th><th>scale</th><th>bits a number</th></tr>
{%- for gene in genes %}
<tr><td><code>{{ gene.name }}</code></td><td>{{ gene.shape|join(' × ') or 'one' }}</td><td>{{ gene.size }}</td>
<td>{{ '%.4g'|format(gene.center) }}</td><td>{{ '%.4g'|format(gene.scale) }}</td><td>{{ gene.bits }}</td></tr>
{%- endfor %}
</table>
</div>

<h2 id="rerun">To run it again</h2>
{% if command %}<pre>{{ command }}</pre>{% endif %}
<table class="left">
{%- for key, value in manifest %}
<tr><td>{{ key }}</td><td>{{ value }}</td></tr>
{%- endfor %}
</table>
<h3>config.yaml</h3>
<details><summary>show the whole configuration</summary><pre>{{ config }}</pre></details>
</main>
</body>
</html>
"""
