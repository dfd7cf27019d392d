/**
 * The script, for those who have one: a page that follows the queue, keys, and times in the reader's own zone. Every page and every
 * action works without it.
 *
 * It reads the page again, at most every five seconds, when the queue has told of a change; never while the tab is hidden or a
 * form is being filled in.
 */
export const SCRIPT = `const { prefix, live } = document.body.dataset;
const said = document.getElementById("said");
const main = () => document.getElementById("main");
let source, timer, isStale = false, isReading = false, lastMs = 0;

function exactTimes(root) {
  for (const time of root.querySelectorAll("time")) time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

function isBusy() {
  const at = document.activeElement;
  return document.hidden || document.querySelector("dialog[open]") !== null || main().querySelector("input:checked[name=id]") !== null
    || (at && main().contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) || String(getSelection()) !== "";
}

function placeOf(element) {
  if (!element || !main().contains(element) || element === main()) return undefined;
  const path = [];
  for (let at = element; at !== main(); at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  return path;
}

async function readAgain() {
  timer = undefined;
  if (!isStale || isReading) return;
  if (isBusy()) return plan(2000);
  isReading = true;
  isStale = false;
  try {
    const response = await fetch(location.href, { headers: { "X-Holdfast-Live": "yes" } });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (isBusy()) { isStale = true; return; }
    swap(page.getElementById("main"));
  } catch {
    isStale = true; // the server is away; it is tried again with the next change
  } finally {
    isReading = false;
    lastMs = Date.now();
    if (isStale) plan(5000);
  }
}

function swap(fresh) {
  const old = main();
  if (old.innerHTML === fresh.innerHTML) return;
  const focus = placeOf(document.activeElement);
  const row = old.querySelector("tr.at")?.dataset.task;
  const open = [...old.querySelectorAll("details")].map((each) => each.open);
  const top = scrollY;
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("details").forEach((each, n) => { if (open[n] !== undefined) each.open = open[n]; });
  if (row) old.querySelector('tr[data-task="' + row + '"]')?.classList.add("at");
  let at = old;
  for (const n of focus ?? []) at = at?.children[n];
  if (focus && at) at.focus({ preventScroll: true });
  scrollTo(0, top);
  exactTimes(old);
  const text = old.querySelector("[data-say]")?.dataset.say;
  if (text && said.textContent !== text) said.textContent = text;
}

function plan(ms) {
  timer ??= setTimeout(readAgain, Math.max(ms, 5000 - (Date.now() - lastMs)));
}

function follow() {
  if (document.hidden || source) return;
  source = new EventSource(prefix + "/live");
  source.onmessage = () => { isStale = true; plan(300); };
}

function rest() {
  source?.close();
  source = undefined;
}

if (live) {
  follow();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return rest();
    isStale = true;
    follow();
    plan(0);
  });
  addEventListener("pagehide", rest);
}
exactTimes(document);

const all = document.getElementById("all");
if (all) { all.hidden = false; }
document.addEventListener("change", ({ target }) => {
  if (target.id !== "all-rows") return;
  for (const box of main().querySelectorAll("input[name=id]")) box.checked = target.checked;
});

function move(step) {
  const rows = [...main().querySelectorAll("tr[data-task]")];
  const at = rows.findIndex((row) => row.classList.contains("at"));
  const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
  if (!next) return;
  rows[at]?.classList.remove("at");
  next.classList.add("at");
  next.querySelector("a").focus();
}

function showKeys() {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.setAttribute("aria-label", "Keys");
    const list = document.createElement("dl");
    list.className = "facts";
    for (const [key, what] of [["/", "search"], ["j k", "next and previous row"], ["Enter", "open it"], ["x", "select it"], ["Esc", "close"], ["?", "this list"]]) {
      const dt = document.createElement("dt"), kbd = document.createElement("kbd"), dd = document.createElement("dd");
      kbd.textContent = key;
      dt.append(kbd);
      dd.textContent = what;
      list.append(dt, dd);
    }
    dialog.append(list);
    document.body.append(dialog);
  }
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const row = main().querySelector("tr.at");
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) search.focus(); else location.href = prefix + "/tasks#q";
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && row && event.target === document.body) location.href = row.querySelector("a").href;
  else if (event.key === "x" && row) { const box = row.querySelector("input[name=id]"); if (box) box.checked = !box.checked; }
  else if (event.key === "?") showKeys();
  else return;
  event.preventDefault();
});
if (location.hash === "#q") document.querySelector("input[type=search]")?.focus();
`;
