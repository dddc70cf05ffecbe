/** The page's style sheet. Colours are roles, each with a light and a dark value; paper is always light. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --surface: #ffffff; --ink: #1b1d20; --ink-soft: #5d636b; --rule: #e5e5e1; --rule-strong: #b9bab5;
  --train: #2e6793; --validation: #c2491d; --right: #2e6793; --wrong: #c2491d; --on-strong: #ffffff;
  --series-0: #5d636b; --series-1: #c2491d; --series-2: #2e6793; --series-3: #2f7d4f; --series-4: #8a4fa3; --series-5: #a5740b;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #131517; --surface: #1b1e21; --ink: #e8e8e5; --ink-soft: #a2a8af; --rule: #2b2f33; --rule-strong: #596069;
    --train: #7db3dd; --validation: #f08a5b; --right: #7db3dd; --wrong: #f08a5b; --on-strong: #101214;
    --series-0: #a2a8af; --series-1: #f08a5b; --series-2: #7db3dd; --series-3: #6fc596; --series-4: #c99be0; --series-5: #e0b04f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1080px; margin: 0 auto; padding: 56px 32px 96px; }
h1 { font-size: clamp(1.9rem, 1.3rem + 2.4vw, 2.9rem); line-height: 1.12; letter-spacing: -0.022em; font-weight: 680; margin: 0 0 12px; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.012em; font-weight: 640; margin: 0 0 12px; }
h3 { font-size: 1rem; line-height: 1.4; font-weight: 640; margin: 24px 0 4px; overflow-wrap: anywhere; }
p { margin: 0 0 14px; max-width: 68ch; overflow-wrap: anywhere; text-wrap: pretty; }
section { padding-top: 40px; margin-top: 48px; border-top: 1px solid var(--rule); }
figure { margin: 0; min-width: 0; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.9em; overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--rule-strong); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 2px solid var(--validation); outline-offset: 3px; border-radius: 2px; }
.quiet { color: var(--ink-soft); font-size: 0.925rem; }

.overline { color: var(--ink-soft); font-size: 0.925rem; margin-bottom: 10px; }
.lead { font-size: 1.16rem; line-height: 1.5; color: var(--ink-soft); max-width: 62ch; margin-bottom: 34px; }
.result { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 12px 48px; align-items: center; }
.figure { margin: 0; display: grid; line-height: 1.4; }
.figure .value { font-size: clamp(3.2rem, 2.4rem + 4vw, 5rem); line-height: 1; font-weight: 680; letter-spacing: -0.035em; white-space: nowrap; }
.figure .what { font-size: 1.05rem; font-weight: 600; margin-top: 8px; }
.figure .interval { color: var(--ink-soft); font-size: 0.925rem; }
.gauge { max-width: 540px; width: 100%; }
.facts { display: flex; flex-wrap: wrap; gap: 14px 44px; margin: 30px 0 0; padding: 0; }
.facts dt { color: var(--ink-soft); font-size: 0.875rem; }
.facts dd { margin: 0; font-size: 1.16rem; font-weight: 600; }
section > .facts { margin: 8px 0 34px; }
nav { margin-top: 36px; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 22px; margin: 0; padding: 0; font-size: 0.95rem; }

.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart text { font-variant-numeric: tabular-nums; white-space: pre; }
.chart [aria-label$="tick label"], .chart [aria-label$="axis label"] { fill: var(--ink-soft); }
.chart [aria-label$="tick"] { stroke: var(--rule-strong); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 28px 40px; }
.pair figcaption, .chart-figure > figcaption { font-weight: 600; margin-bottom: 8px; }
.chart-figure { max-width: 600px; margin-bottom: 40px; }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 20px; color: var(--ink-soft); font-size: 0.925rem; font-weight: 400; max-width: none; }
.key { position: relative; padding-left: 26px; }
.key::before { content: ""; position: absolute; left: 0; top: 0.68em; width: 18px; border-top: 2px solid var(--validation); }
.key.train::before { border-color: var(--train); border-top-style: dashed; }
.key.bar::before { top: 0.36em; height: 0.8em; border: 0; border-radius: 2px; background: var(--train); }
.key.series::before { border-top-width: 3px; border-color: var(--series); }
.wide { max-width: none; margin: 26px 0 32px; }
.wide > figcaption { font-weight: 600; margin-bottom: 10px; }
.key.gap::before { top: 0.36em; height: 0.8em; border: 1px solid var(--validation); border-radius: 2px; background: color-mix(in oklab, var(--validation) 25%, transparent); }
.key.diamond::before { width: 9px; height: 9px; top: 0.5em; left: 6px; border: 0; background: var(--validation); transform: rotate(45deg); }
.legend-item { display: inline-flex; flex-wrap: wrap; gap: 2px 14px; margin-right: 22px; }
.colour-bar { display: inline-flex; align-items: center; gap: 8px; }
.colour-bar .ramp { width: 110px; height: 10px; border-radius: 2px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }

.scroll { overflow-x: auto; margin: 0 0 18px; }
table { border-collapse: collapse; font-size: 0.925rem; }
caption { text-align: left; color: var(--ink-soft); padding: 0 0 8px; }
caption span { display: inline-block; position: sticky; left: 0; max-width: min(68ch, calc(100vw - 36px)); }
th { font-weight: 500; text-align: left; }
.numbers th, .numbers td { padding: 5px 22px 5px 0; border-bottom: 1px solid var(--rule); }
.numbers.dense th, .numbers.dense td { padding-top: 1px; padding-bottom: 1px; }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; white-space: nowrap; }
.numbers.many th, .numbers.many td { padding-right: 14px; }
.numbers.many thead th:not(:first-child) { white-space: normal; vertical-align: bottom; }
.numbers.many tbody th { white-space: nowrap; }
.maps th, .maps td { padding: 0 8px 8px 0; vertical-align: middle; text-align: left; font-weight: 400; }
.maps thead th { color: var(--ink-soft); font-size: 0.925rem; vertical-align: bottom; max-width: 128px; overflow-wrap: anywhere; }
.maps img { display: block; }
.numbers thead th { color: var(--ink-soft); font-weight: 400; }
.numbers tfoot th, .numbers tfoot td, .numbers .kept th, .numbers .kept td { font-weight: 650; }
.numbers tbody th { overflow-wrap: anywhere; min-width: 7em; max-width: 24em; }
details { margin-top: 22px; }
summary { cursor: pointer; color: var(--ink-soft); margin-bottom: 12px; width: fit-content; }
.counts-and-files { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 8px 40px; }
.counts-and-files h3 { margin-top: 0; }
.files { padding-left: 1.1em; font-size: 0.925rem; }

.confusion { border-collapse: separate; border-spacing: 2px; margin-top: 4px; }
.confusion caption { padding-bottom: 12px; }
.confusion td { min-width: 44px; height: 36px; padding: 0 6px; text-align: center; border-radius: 3px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.confusion tbody th, .confusion tfoot th, .confusion .corner { position: sticky; left: 0; background: var(--page); padding-right: 12px; max-width: 12em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.confusion .corner { vertical-align: bottom; color: var(--ink-soft); font-weight: 400; }
.confusion .turned { vertical-align: bottom; text-align: center; padding: 0 0 6px; }
.confusion .turned span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block; max-height: 11em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; line-height: 1.1; }
.confusion .none { color: color-mix(in oklab, var(--ink-soft) 70%, var(--page)); background: color-mix(in oklab, var(--rule) 35%, transparent); }
.confusion .right { background: color-mix(in oklab, var(--right) calc(14% + 0.86 * var(--share)), var(--surface)); }
.confusion .wrong { background: color-mix(in oklab, var(--wrong) calc(14% + 0.86 * var(--share)), var(--surface)); }
.confusion .strong { color: var(--on-strong); font-weight: 650; }
.confusion .score { background: none; color: var(--ink-soft); white-space: nowrap; font-size: 0.9em; }
.confusion.dense { font-size: 0.8rem; border-spacing: 1px; }
.confusion.dense td { min-width: 26px; height: 26px; padding: 0; }

.thumbnails { list-style: none; padding: 0; margin: 22px 0 28px; display: grid; grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); gap: 16px 12px; }
.thumbnails figcaption { font-size: 0.85rem; color: var(--ink-soft); margin-top: 4px; overflow-wrap: anywhere; line-height: 1.3; }
img { display: block; max-width: 100%; height: auto; border-radius: 3px; background: var(--rule); -webkit-print-color-adjust: exact; print-color-adjust: exact; }
img.pixels { image-rendering: pixelated; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 40px; margin-top: 26px; }
.card h3 { margin: 0; font-size: 1.06rem; display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; }
.card .file { color: var(--ink-soft); font-size: 0.85rem; margin-bottom: 10px; }
.verdict { font-size: 0.85rem; font-weight: 600; }
.verdict.right { color: var(--right); }
.verdict.wrong, .truth, .status { color: var(--wrong); }
.probability { font-weight: 400; color: var(--ink-soft); }
.pictures { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px; }
.pictures.four { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.narrow .pictures { grid-template-columns: repeat(3, minmax(0, 132px)); }
.pictures img { width: 100%; }
.pictures figcaption { font-size: 0.82rem; line-height: 1.4; color: var(--ink-soft); margin-top: 6px; overflow-wrap: anywhere; }
.pictures figcaption b { color: var(--ink); font-weight: 600; }

.guide { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 8px 40px; }
.guide h3 { margin-top: 10px; }
.guide p { font-size: 0.96rem; }
.command { background: var(--surface); border: 1px solid var(--rule); border-radius: 6px; padding: 14px 16px; margin: 0 0 24px; white-space: pre-wrap; }
.settings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 14px 40px; margin: 0 0 8px; }
.settings dt { color: var(--ink-soft); font-size: 0.875rem; }
.settings dd { margin: 0; overflow-wrap: anywhere; }
.times { margin-top: 10px; }

.answer { margin: 34px 0 0; }
.answer > h3 { font-size: 1.2rem; margin-bottom: 8px; }
.words-and-figure { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 12px 44px; align-items: start; }
.words-and-figure figure > figcaption, .answer .wide > figcaption { font-weight: 600; margin-bottom: 8px; }
.words-and-figure .pictures figcaption { font-weight: 400; }
.risks { margin: 0 0 14px; padding-left: 1.3em; max-width: 68ch; }
.risks li { margin-bottom: 8px; }
.looked { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); margin: 0; }
.choices tbody th { min-width: 14em; }
.choices .quiet { color: var(--ink-soft); }

@media (max-width: 640px) {
  main { padding: 32px 18px 64px; }
  section { margin-top: 36px; padding-top: 30px; }
  .result { grid-template-columns: minmax(0, 1fr); gap: 20px; }
  .facts { gap: 12px 32px; }
  .pictures.four { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .cards { gap: 34px; }
  .numbers th, .numbers td { padding-right: 14px; }
  .thumbnails { grid-template-columns: repeat(auto-fill, minmax(76px, 1fr)); }
}
@media print {
  main { max-width: none; padding: 0; }
  body { font-size: 10.5pt; background: #fff; }
  nav, details { display: none; }
  section { margin-top: 22pt; padding-top: 16pt; }
  .answer, .card, .pair figure, .chart-figure, table, .result { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  .scroll { overflow: visible; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20pt; }
}
`;
