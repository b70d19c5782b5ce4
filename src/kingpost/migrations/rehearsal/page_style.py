"""The style of a rehearsal's page: readable by day and by night, without any other file."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --soft: #5c6570;
  --line: #d9dde2; --card: #f6f7f9; --good: #1a7f37; --fair: #9a6700; --bad: #c62828;
  --blue: #2f6fde; --wash: #c6282814; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e8eb; --soft: #9aa4af;
  --line: #343a41; --card: #1d2125; --good: #4cc26a; --fair: #e0a93b; --bad: #ff6b62;
  --blue: #6ea3ff; --wash: #ff6b6220; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; margin: .4rem 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; padding-top: 1.2rem; overflow-wrap: anywhere;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; }
.soft, figcaption { color: var(--soft); }
.badge { display: inline-block; border-radius: 1rem; padding: .05rem .7rem; font-weight: 600;
  font-size: .85rem; border: 1.5px solid currentColor; white-space: nowrap; }
.good { color: var(--good); } .fair { color: var(--fair); } .bad { color: var(--bad); }
code, pre { font: .86rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre { margin: .4rem 0; padding: .6rem .8rem; background: var(--card); border-radius: .4rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: .8rem 0; } svg { width: 100%; height: auto; display: block; }
ol.statements { list-style: none; padding: 0; margin: .4rem 0; }
ol.statements > li { border: 1px solid var(--line); border-left: 4px solid var(--good);
  border-radius: .4rem; padding: .6rem .9rem; margin: .5rem 0; }
ol.statements > li.fair { border-left-color: var(--fair); }
ol.statements > li.bad { border-left-color: var(--bad); }
ol.statements > li > * { color: var(--ink); }
ol.statements > li .badge.good { color: var(--good); }
ol.statements > li .badge.fair { color: var(--fair); }
ol.statements > li .badge.bad { color: var(--bad); }
.instead { border-left: 4px solid var(--good); padding-left: .8rem; margin: .5rem 0; }
.instead b { color: var(--good); }
ul { margin: .3rem 0; padding-left: 1.2rem; }
table { border-collapse: collapse; margin: .4rem 0; font-size: .92rem; }
th, td { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top;
  overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; list-style: none;
  font-size: .88rem; }
.key { display: inline-block; width: .9rem; height: .7rem; border-radius: 2px;
  margin-right: .4rem; background: var(--soft); }
.key.k-good { background: var(--good); } .key.k-fair { background: var(--fair); }
.key.k-bad { background: var(--bad); } .key.k-all { background: var(--bad); opacity: .55; }
.key.k-writes { background: var(--fair); opacity: .55; }
.key.k-dot { background: var(--blue); width: .5rem; height: .5rem; border-radius: 50%; }
.key.k-wait { background: var(--bad); height: .2rem; width: 1.4rem; vertical-align: middle; }
.key.k-failed { background: none; color: var(--bad); width: auto; height: auto;
  font-weight: 700; }
svg text { font: 12px system-ui, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
svg .lane { fill: var(--soft); } svg .tick { fill: var(--soft); font-size: 11px; }
svg .tick.x, svg .number { text-anchor: middle; } svg .tick.y { text-anchor: end; }
svg .mode { font-size: 11px; } svg .before { text-anchor: end; }
svg .axis { stroke: var(--soft); } svg .grid { stroke: var(--line); stroke-width: .7; }
svg .shadow { fill: var(--wash); } svg .dot { fill: var(--blue); opacity: .55; }
svg .wait { stroke: var(--bad); stroke-width: 2; } svg .waited { fill: var(--bad); }
svg .failed { stroke: var(--bad); stroke-width: 2; fill: none; }
svg .lock-all { fill: var(--bad); opacity: .55; }
svg .lock-writes { fill: var(--fair); opacity: .55; }
svg .s-safe { fill: var(--good); } svg .s-brief-lock { fill: var(--fair); }
svg .s-stale-plans, svg .s-not-reversible, svg .s-lossy, svg .s-unsafe-lock, svg .s-breaks-app,
svg .s-partial, svg .s-error { fill: var(--bad); }
"""
