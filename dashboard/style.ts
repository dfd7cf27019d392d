/**
 * The style sheet: light and dark by the reader's own setting, and as narrow as a phone.
 */
export const STYLE =
  `:root{color-scheme:light dark;--bg:#fff;--soft:#f3f5f4;--line:#c9d1ce;--text:#18211e;--dim:#515c58;--link:#0b5c48;--grave:#a3161f;
--queued:#5a4300;--leased:#064f8c;--completed:#11602f;--failed:#a3161f;--cancelled:#545454;--note:#e3f2ec}
@media (prefers-color-scheme:dark){:root{--bg:#111715;--soft:#1b2320;--line:#3b4743;--text:#e6ecea;--dim:#a9b5b1;--link:#7ed3b8;--grave:#ff9c9c;
--queued:#f0d078;--leased:#8fc7ff;--completed:#86dba3;--failed:#ff9c9c;--cancelled:#bdbdbd;--note:#17332a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:var(--link)}
header{display:flex;flex-wrap:wrap;gap:.3rem 1rem;align-items:center;padding:.6rem 1rem;border-bottom:1px solid var(--line);background:var(--soft)}
header nav{display:flex;flex-wrap:wrap;gap:.2rem .9rem;flex:1}
header nav a{padding:.2rem 0}
header nav a[aria-current]{font-weight:700;text-decoration-thickness:3px}
.brand{font-weight:700;text-decoration:none;color:var(--text)}
main{max-width:76rem;margin:0 auto;padding:1rem;outline:0}
h1{font-size:1.5rem;margin:.2rem 0 .8rem}h2{font-size:1.15rem;margin:1.6rem 0 .5rem}h3{font-size:1rem;margin:1rem 0 .4rem}
.skip{position:absolute;left:-99rem}.skip:focus{left:.5rem;top:.5rem;background:var(--bg);padding:.4rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);margin:0}
.dim{color:var(--dim)}
.notice{background:var(--note);border-left:4px solid var(--link);padding:.5rem .8rem}
.nothing{color:var(--dim);padding:1rem;border:1px dashed var(--line);border-radius:6px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.6rem;margin:0 0 1rem}
.cards>*{border:1px solid var(--line);border-radius:6px;padding:.5rem .7rem;background:var(--soft)}
.cards b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}
.verdict{border:1px solid var(--line);border-left-width:6px;border-radius:6px;padding:.5rem .9rem;margin-bottom:1rem}
.verdict.healthy{border-left-color:var(--completed)}.verdict.degraded{border-left-color:var(--queued)}.verdict.unhealthy{border-left-color:var(--failed)}
.verdict ul{margin:.2rem 0;padding-left:1.2rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td{overflow-wrap:break-word;max-width:24rem}
th{color:var(--dim);font-weight:600;white-space:nowrap}
td:first-child{white-space:nowrap}
tbody tr:hover,tbody tr.at{background:var(--soft)}tbody tr.at{outline:2px solid var(--link);outline-offset:-2px}
.status{white-space:nowrap;font-weight:600}
.queued{color:var(--queued)}.leased{color:var(--leased)}.completed{color:var(--completed)}.failed{color:var(--failed)}.cancelled{color:var(--cancelled)}
form.act{display:inline-flex;gap:.4rem;align-items:center;margin:0}
form.filter,.bar{display:flex;flex-wrap:wrap;gap:.5rem .8rem;align-items:end;margin:0 0 .9rem}
form.stack{display:grid;grid-template-columns:minmax(0,1fr);gap:.8rem;max-width:44rem}
label{display:grid;grid-template-columns:minmax(0,1fr);gap:.15rem;color:var(--dim);font-size:.9rem}
input,select,textarea,button{font:inherit;color:var(--text);background:var(--bg);border:1px solid var(--dim);border-radius:5px;padding:.3rem .55rem;max-width:100%}
input[type=checkbox]{width:1.15rem;height:1.15rem}
textarea{width:100%;min-height:9rem;font-family:ui-monospace,monospace;font-size:.9rem}
button{background:var(--soft);cursor:pointer}button:hover{border-color:var(--link)}
button.grave{color:var(--grave);border-color:var(--grave)}
:focus-visible{outline:3px solid var(--link);outline-offset:1px}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;overflow:auto;max-height:24rem;font:.85rem/1.45 ui-monospace,monospace;white-space:pre-wrap}
.json .k{color:var(--leased)}.json .s{color:var(--completed)}.json .n{color:var(--queued)}
details>summary{cursor:pointer;padding:.25rem 0}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dl.facts dt{color:var(--dim)}dl.facts dd{margin:0}
ul.tags{display:flex;flex-wrap:wrap;gap:.3rem;list-style:none;margin:0;padding:0}ul.tags a{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;background:var(--soft)}
svg.graph{display:block;max-width:none;height:auto}svg.graph rect{fill:var(--soft);stroke:var(--line)}svg.graph .own rect{stroke:var(--text);stroke-width:2}svg.graph a rect{stroke:var(--link)}svg.graph a:hover rect{stroke-width:2}svg.graph .edge{fill:none;stroke:var(--dim)}svg.graph text{fill:var(--text);font-size:13px}
svg.graph text.queued{fill:var(--queued)}svg.graph text.leased{fill:var(--leased)}svg.graph text.completed{fill:var(--completed)}svg.graph text.failed{fill:var(--failed)}svg.graph text.cancelled{fill:var(--cancelled)}
svg.chart{width:100%;height:auto;display:block}
svg .half{fill:var(--leased)}svg .good{fill:var(--completed)}svg .bad{fill:var(--failed)}svg .most{fill:var(--queued)}svg .axis{stroke:var(--line)}svg text{fill:var(--dim);font-size:11px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:.6rem}figcaption{font-weight:600}
ol.line{list-style:none;padding:0;margin:0}
dialog{background:var(--bg);color:var(--text);border:1px solid var(--dim);border-radius:8px;max-width:26rem}
kbd{border:1px solid var(--line);border-radius:4px;padding:0 .35rem;background:var(--soft)}
progress{width:8rem;accent-color:var(--link)}
@media (max-width:40rem){main{padding:.7rem}dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.4rem}}
@media (prefers-reduced-motion:no-preference){a,button{transition:border-color .15s}}
`;
