/**
 * The look of the console's pages: one style sheet, sent within the page.
 *
 * @module
 */

/** Light or dark as the reader's system is; one column on a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --line: #e1e4ea; --text: #1a1f29; --quiet: #626b7a;
  --good: #157f4a; --good-ground: #e2f4ea; --bad: #b3261e; --bad-ground: #fce9e7; --wait: #8a5a00; --wait-ground: #fdf1d7;
  --accent: #2f5fd0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10131a; --card: #191e28; --line: #2b3240; --text: #e7eaf0; --quiet: #98a2b3;
    --good: #5fd39a; --good-ground: #14332a; --bad: #ff9b92; --bad-ground: #43201f; --wait: #f2c463; --wait-ground: #3b2f14;
    --accent: #86a9ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: clamp(1rem, 4vw, 3rem) clamp(0.75rem, 3vw, 2rem); background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
body > * { max-width: 60rem; margin-inline: auto; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; margin-bottom: 1.25rem; }
header p { flex-basis: 100%; margin: 0; color: var(--quiet); font-size: 0.875rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0 0 0.75rem; font-size: 0.8125rem; letter-spacing: 0.06em; text-transform: uppercase; color: var(--quiet); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; padding: 1.25rem; margin-bottom: 1rem; }
.badge { padding: 0.125rem 0.75rem; border-radius: 1rem; font-weight: 600; font-size: 0.875rem; white-space: nowrap; }
.good { color: var(--good); background: var(--good-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
.wait { color: var(--wait); background: var(--wait-ground); }
.promise { border-left: 0.25rem solid var(--accent); font-size: 1.0625rem; }
.promise p { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: 1rem; margin: 0; }
.tiles dt { color: var(--quiet); font-size: 0.875rem; }
.tiles dd { margin: 0; font-size: 1.375rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.checks { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.75rem; }
.checks li { display: grid; grid-template-columns: 4.5rem 1fr; gap: 0 1rem; align-items: start; }
.checks .badge { text-align: center; }
.checks p { margin: 0; }
.bar { height: 0.625rem; border-radius: 0.3125rem; background: var(--line); overflow: hidden; margin: 0.5rem 0; }
.bar div { height: 100%; background: var(--accent); }
.note { margin: 0; color: var(--quiet); font-size: 0.875rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
th, td { padding: 0.375rem 0; text-align: left; font-weight: 400; vertical-align: top; border-top: 1px solid var(--line); }
tr:first-child > * { border-top: 0; }
th { color: var(--quiet); padding-right: 1rem; }
td { text-align: right; font-family: ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; font-size: 0.875rem; }
.peers th, .peers td { text-align: left; font-family: inherit; font-size: 0.9375rem; padding: 0.5rem 1rem 0.5rem 0; }
.peers thead th { font-size: 0.875rem; padding-top: 0; white-space: nowrap; }
.peers tbody tr > * { border-top: 1px solid var(--line); }
.peers strong { display: block; color: var(--text); }
.peers tr > :nth-child(n + 3) { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.peers tr > :last-child { padding-right: 0; }
.peers td .note { margin-top: 0.25rem; }
.peers + .note { margin-top: 0.75rem; }
footer { color: var(--quiet); font-size: 0.875rem; padding: 0 0.25rem; }
a { color: var(--accent); }
code { font-family: ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
@media (max-width: 40rem) {
  .peers thead { display: none; }
  .peers tbody tr { display: block; border-top: 1px solid var(--line); padding: 0.5rem 0; }
  .peers tbody tr:first-child { border-top: 0; }
  .peers tbody tr > :nth-child(n) { display: block; border: 0; padding: 0.125rem 0; text-align: left; }
  .peers td[data-name]::before { content: attr(data-name) ": "; color: var(--quiet); }
}
@media (max-width: 30rem) { .checks li { grid-template-columns: 1fr; gap: 0.25rem; } .checks .badge { justify-self: start; } }
`;
