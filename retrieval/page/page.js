// What the page shows is in its address: channels, search and span. Everything else follows from it.

import { ask, element } from "./asking.js";
import { showEvents, showSummary } from "./events.js";
import { showChannels } from "./finding.js";
import { plot } from "./plotting.js";
import { between, endsOf, moved, SPANS } from "./spans.js";

const MOST = 8, TYPED_MS = 200, STATE_MS = 5000;
const byId = (id) => document.getElementById(id);

let state = readAddress();
let changing = false;  // whether the states in the list can change
let listing = new AbortController(), plotting = new AbortController();

function readAddress() {
  const parameters = new URLSearchParams(location.search);
  const from = Date.parse(parameters.get("from")), to = Date.parse(parameters.get("to")), last = parameters.get("span");
  return {
    channels: [...new Set(parameters.getAll("pv"))].slice(0, MOST),
    search: parameters.get("search") ?? "",
    span: from < to ? between(from, to) : { last: SPANS.has(last) ? last : "1h" },
  };
}

function address() {
  const parameters = new URLSearchParams(state.channels.map((name) => ["pv", name]));
  if (state.search) parameters.set("search", state.search);
  if (state.span.last) parameters.set("span", state.span.last);
  else for (const end of ["from", "to"]) parameters.set(end, new Date(state.span[end]).toISOString());
  return `?${parameters}`;
}

function go(change) {
  state = { ...state, ...change };
  history.pushState(null, "", address());
  showPlot();
}

function tell(error) {
  if (error?.name === "AbortError") return;
  byId("fault").textContent = error?.message ?? "";
  byId("fault").hidden = !error;
}

async function list() {
  listing.abort();
  listing = new AbortController();
  try {
    const answer = await ask("api/channels", { search: state.search }, listing.signal);
    const listed = new Set(answer.channels.map((channel) => channel.name));
    const others = state.channels.filter((name) => !listed.has(name));
    const chosen = await Promise.allSettled(others.map((pv) => ask("api/channels", { pv }, listing.signal)));
    if (listing.signal.aborted) return;
    showChannels(answer, chosen.flatMap((one) => one.value?.channels ?? []), state.channels, choose);
    changing = answer.channels.some((channel) => channel.archived);
  } catch (error) { tell(error); }
}

function choose(name, wanted) {
  if (wanted && state.channels.length >= MOST) {
    tell(new Error(`At most ${MOST} channels in a plot`));
    list();
    return;
  }
  tell(null);
  go({ channels: wanted ? [...state.channels, name] : state.channels.filter((one) => one !== name) });
  for (const box of document.querySelectorAll("#channels input")) box.checked = state.channels.includes(box.dataset.channel);
}

async function showPlot() {
  plotting.abort();
  plotting = new AbortController();
  const { signal } = plotting;
  const ends = endsOf(state.span);
  showControls(ends);
  if (!state.channels.length) return;
  const bins = Math.min(Math.max(Math.round(byId("plot").clientWidth), 200), 2000);
  const span = { from: new Date(ends.from).toISOString(), to: new Date(ends.to).toISOString(), bins };
  try {
    const answers = await Promise.allSettled(state.channels.map((pv) => ask("api/plot", { pv, ...span }, signal)));
    if (signal.aborted) return;
    const lines = answers.flatMap((answer) => answer.value ?? []);
    tell(answers.find((answer) => answer.reason)?.reason);
    showSummary(lines);
    showEvents(lines);
    await plot(byId("plot"), lines, ends, (from, to) => go({ span: between(from, to) }));
    byId("plot").dataset.shown = address();
  } catch (error) { tell(error); }
}

function showControls(ends) {
  byId("plot-section").hidden = state.channels.length === 0;
  byId("chosen").replaceChildren(...state.channels.map((name) => element("li", {}, `${name} `,
    element("button", { type: "button", "aria-label": `Remove ${name}`, onclick: () => choose(name, false) }, "\u00d7"))));
  byId("last").value = state.span.last ?? "";
  byId("from").value = new Date(ends.from).toISOString().slice(0, 19);
  byId("to").value = new Date(ends.to).toISOString().slice(0, 19);
}

function listen() {
  byId("last").append(element("option", { value: "" }, "from ... to"), ...[...SPANS].map(([value, { text }]) => element("option", { value }, text)));
  byId("last").addEventListener("change", (event) => { if (event.target.value) go({ span: { last: event.target.value } }); });
  byId("span").addEventListener("submit", (event) => {
    event.preventDefault();
    const from = Date.parse(`${byId("from").value}Z`), to = Date.parse(`${byId("to").value}Z`);
    if (from < to) go({ span: between(from, to) });
    else tell(new Error("From lies before To"));
  });
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => go({ span: moved(state.span, button.dataset.step) }));
  }
  let typed = 0;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(typed);
    typed = setTimeout(() => {
      state = { ...state, search: event.target.value };
      history.replaceState(null, "", address());
      list();
    }, TYPED_MS);
  });
  byId("find").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("popstate", () => { state = readAddress(); showAll(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showPlot);
  setInterval(() => { if (!document.hidden && changing) list(); }, STATE_MS);
}

function showAll() {
  byId("search").value = state.search;
  list();
  showPlot();
}

listen();
showAll();
