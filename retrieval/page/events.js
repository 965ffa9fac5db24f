// In words what a plot shows, and why samples are missing.

import { csvAddress, element } from "./asking.js";
import { numberText, SEVERITIES } from "./finding.js";
import { clock } from "./spans.js";

export function showSummary(lines) {
  document.getElementById("summary").replaceChildren(...lines.map(summary));
}

function summary(line) {
  const item = element("li", { "data-channel": line.channel }, `${line.channel}: ${inWords(line)} `);
  item.append(element("a", { href: csvAddress(line.channel, line.from_ms, line.to_ms), download: "" }, "CSV of all samples"));
  return item;
}

function inWords(line) {
  const rows = line.time_ms.length;
  if (rows === 0) return "nothing is archived of this span.";
  const least = extreme(line.min, Math.min), highest = extreme(line.max, Math.max);
  const worst = line.severity.reduce((one, other) => Math.max(one, other), 0);
  const numbers = least === null ? (line.binned ? "no numbers; texts are shown in shorter spans" : "texts")
    : `from ${numberText(least)} to ${numberText(highest)} ${line.units}`.trim();
  const gaps = line.events.filter((event) => event.gap).length;
  return `${line.binned ? `${rows} bins` : "every sample"}, ${numbers}, highest alarm ${SEVERITIES[worst] || "none"}, ${gaps} gap${gaps === 1 ? "" : "s"}.`;
}

function extreme(column, which) {
  return column.reduce((found, one) => (one === null ? found : found === null ? one : which(found, one)), null);
}

export function showEvents(lines) {
  const rows = lines.flatMap((line) => [
    ...line.events.map((event) => eventRow(line.channel, event)),
    ...(line.events_left_out ? [element("tr", {}, cell("", line.channel), cell("", `${line.events_left_out} shorter ones are left out`))] : []),
  ]);
  document.querySelector("#events tbody").replaceChildren(...rows);
  document.getElementById("why").hidden = rows.length === 0;
}

function eventRow(channel, event) {
  const what = [event.reason.replaceAll("_", " "), event.count ? `${event.count} samples` : "", event.text].filter(Boolean).join(", ");
  const end = event.gap ? (event.to_ms === null ? "still" : clock(event.to_ms)) : "";
  const inside = new Date(Math.ceil(event.from_ms) + (event.gap ? 1 : 0)).toISOString();
  const command = `archioc explain ${quoted(channel)} ${inside}`;
  return element("tr", {}, cell("Channel", channel), cell("What", what), cell("From", clock(event.from_ms)), cell("To", end),
    cell("Explained by", element("code", {}, command)));
}

function cell(label, content) {
  return element("td", { "data-label": label }, content);
}

function quoted(word) {
  return /^[\w:.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
