// The plot: a panel for each channel, one above the other, over the same time.

import { SEVERITIES } from "./finding.js";

const PANEL = 200, MARGIN = 45, LABEL = 20, SYMBOLS = ["", "triangle-up", "square", "x"];

let loading = null;

export function loadScript() {
  loading ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "page/plotly.min.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => resolve(null);
    document.head.append(script);
  });
  return loading;
}

export async function plot(place, lines, ends, onZoom) {
  const Plotly = await loadScript();
  document.getElementById("no-script").hidden = Plotly !== null;
  if (Plotly === null) return;
  if (!lines.length) {
    Plotly.purge(place);
    return;
  }
  const colours = coloursNow();
  const traces = lines.flatMap((line, at) => tracesOf(line, at, colours));
  await Plotly.react(place, traces, layoutOf(lines, ends, colours), { displayModeBar: false, responsive: true, doubleClick: false });
  place.removeAllListeners("plotly_relayout");
  place.on("plotly_relayout", (change) => {
    const first = change["xaxis.range[0]"], last = change["xaxis.range[1]"];
    if (first !== undefined && last !== undefined) onZoom(utc(first), utc(last));
  });
}

// Plotly takes and gives wall-clock times; here they are those of UTC.
const wall = (milliseconds) => new Date(milliseconds).toISOString().slice(0, -1);
const utc = (text) => Date.parse(`${String(text).replace(" ", "T")}Z`);

// Plotly reads tags and entities in texts.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function coloursNow() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["back", "fore", "edge", "gap", "faint", "line", "band", "minor", "major", "invalid"].map((name) =>
    [name, style.getPropertyValue(`--${name}`).trim()]));
}

function tracesOf(line, at, colours) {
  const rows = withEnd(line);
  const yaxis = `y${at + 1}`;
  const x = rows.map((row) => wall(row.time)), y = rows.map((row) => valueOf(row, line));
  const base = { xaxis: "x", yaxis, showlegend: false };
  const found = [];
  const outline = bandOf(rows);
  if (outline.x.length) found.push({ ...base, ...outline, name: "band", fill: "toself", mode: "lines", line: { width: 0 }, fillcolor: colours.band, hoverinfo: "skip" });
  found.push({ ...base, x, y, name: "value", mode: rows.length < 200 ? "lines+markers" : "lines", line: { shape: "hv", width: 1.5, color: colours.line },
    marker: { size: 4 }, connectgaps: false, hovertext: rows.map((row) => plain(hoverText(row, line))), hoverinfo: "text" });
  const alarms = rows.filter((row) => row.severity > 0 && !row.added && valueOf(row, line) !== null);
  if (alarms.length) found.push({ ...base, x: alarms.map((row) => wall(row.time)), y: alarms.map((row) => valueOf(row, line)), name: "alarms", mode: "markers",
    hoverinfo: "skip", marker: { size: 9, symbol: alarms.map((row) => SYMBOLS[row.severity]), color: alarms.map((row) => colours[SEVERITIES[row.severity].toLowerCase()]) } });
  return found;
}

function shortened(text) {
  return text.length > LABEL ? `${text.slice(0, LABEL)}\u2026` : text;
}

function isText(line) {
  return !line.binned && line.labels.length === 0 && line.mean.every((value) => value === null) && line.text.some((text) => text !== null);
}

function valueOf(row, line) {
  return isText(line) ? (row.text === null ? null : plain(shortened(row.text))) : row.mean;
}

function hoverText(row, line) {
  const value = row.text ?? line.labels[row.mean] ?? (row.mean === null ? "" : `${row.mean} ${line.units}`);
  const range = row.min === row.max ? "" : `, ${row.min} to ${row.max}`;
  return `${wall(row.time).replace("T", " ")}  ${value}${range} ${SEVERITIES[row.severity]}`;
}

// The newest value holds until now, or to the end of the span.
function withEnd(line) {
  const rows = line.time_ms.map((time, at) => (
    { time, mean: line.mean[at], min: line.min[at], max: line.max[at], severity: line.severity[at], text: line.text[at] }));
  const end = Math.min(line.to_ms, line.now_ms), last = rows.at(-1);
  return last && last.time < end ? [...rows, { ...last, time: end, added: true }].filter((row) => row.time <= end) : rows;
}

// Steps along the highest values and back along the least, for each stretch without a gap.
function bandOf(rows) {
  const found = { x: [], y: [] };
  let begin = 0;
  for (let at = 0; at <= rows.length; at += 1) {
    if (at < rows.length && rows[at].min !== null && rows[at].max !== null) continue;
    const stretch = rows.slice(begin, at + 1);
    begin = at + 1;
    if (stretch.some((row) => row.min !== row.max)) addOutline(found, stretch);
  }
  return found;
}

function addOutline(found, stretch) {
  const steps = [];
  for (let at = 0; at + 1 < stretch.length; at += 1) steps.push([stretch[at], stretch[at].time], [stretch[at], stretch[at + 1].time]);
  const back = steps.toReversed();
  found.x.push(...steps.map(([, time]) => wall(time)), ...back.map(([, time]) => wall(time)), null);
  found.y.push(...steps.map(([row]) => row.max), ...back.map(([row]) => row.min), null);
}

function layoutOf(lines, ends, colours) {
  const height = MARGIN + 20 + PANEL * lines.length;
  const layout = {
    height, margin: { l: 62, r: 12, t: 20, b: MARGIN }, paper_bgcolor: colours.back, plot_bgcolor: colours.back, font: { color: colours.fore },
    dragmode: "zoom", hovermode: "closest", showlegend: false, shapes: [], annotations: [],
    xaxis: { type: "date", range: [wall(ends.from), wall(ends.to)], gridcolor: colours.edge, anchor: `y${lines.length}` },
  };
  lines.forEach((line, at) => addPanel(layout, line, at, lines.length, ends, colours));
  return layout;
}

function addPanel(layout, line, at, count, ends, colours) {
  const top = 1 - at / count, bottom = 1 - (at + 1) / count + 0.12 / count;
  const axis = { domain: [bottom, top - 0.1 / count], fixedrange: true, automargin: true, gridcolor: colours.edge, zeroline: false, title: { text: plain(line.units) } };
  if (isText(line)) axis.type = "category";
  if (line.labels.length) Object.assign(axis, { tickvals: line.labels.map((_, index) => index), ticktext: line.labels.map((label) => plain(shortened(label))) });
  layout[at === 0 ? "yaxis" : `yaxis${at + 1}`] = axis;
  layout.annotations.push({ text: plain(line.channel), xref: "paper", yref: "paper", x: 0, y: top, xanchor: "left", yanchor: "top", showarrow: false });
  for (const event of line.events) addEvent(layout, event, at, ends, line, colours);
}

function addEvent(layout, event, at, ends, line, colours) {
  const from = Math.max(event.from_ms, ends.from), to = event.gap ? Math.min(event.to_ms ?? line.now_ms, ends.to) : from;
  const yref = `y${at === 0 ? "" : at + 1} domain`;
  const edge = { color: colours.faint, width: 1, dash: event.gap ? "dash" : "dot" };
  layout.shapes.push({ type: event.gap ? "rect" : "line", name: event.gap ? "gap" : "loss", xref: "x", yref, x0: wall(from), x1: wall(to), y0: 0, y1: 1,
    fillcolor: colours.gap, line: edge, layer: "below" });
  if ((to - from) / (ends.to - ends.from) > 0.1) {
    layout.annotations.push({ text: plain(event.reason.replaceAll("_", " ")), xref: "x", yref, x: wall((from + to) / 2), y: 0.98, yanchor: "top", showarrow: false });
  }
}
