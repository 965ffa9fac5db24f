// The list of channels.

import { element } from "./asking.js";
import { ageText, clock } from "./spans.js";

export const SEVERITIES = ["", "MINOR", "MAJOR", "INVALID"];

// more: chosen channels that the search has not found.
export function showChannels(answer, more, chosen, onChoose) {
  const shown = answer.channels.length;
  document.getElementById("found").textContent =
    answer.found > shown ? `${answer.found} channels, the first ${shown} are shown` : `${shown} channel${shown === 1 ? "" : "s"}`;
  const body = document.querySelector("#channels tbody");
  const focused = document.activeElement?.dataset?.channel;
  body.replaceChildren(...[...more, ...answer.channels].map((channel) => row(channel, answer.now_ms, chosen.includes(channel.name), onChoose)));
  if (focused !== undefined) [...body.querySelectorAll("input")].find((box) => box.dataset.channel === focused)?.focus();
}

function row(channel, now, isChosen, onChoose) {
  const box = element("input", {
    type: "checkbox",
    checked: isChosen,
    "data-channel": channel.name,
    "aria-label": `Plot ${channel.name}`,
    onchange: (event) => onChoose(channel.name, event.target.checked),
  });
  const severity = SEVERITIES[channel.severity] ?? "";
  return element(
    "tr",
    {},
    cell("Plot", box),
    cell("", channel.name),
    cell("State", stateText(channel)),
    cell("Value", valueText(channel)),
    cell("Alarm", element("span", { class: severity.toLowerCase() }, severity || "none")),
    cell("Updates", channel.archived ? `${channel.event_rate.toPrecision(3)} /s` : "-"),
    cell("Age", channel.time_ms === null ? "-" : ageText(now - channel.time_ms)),
    cell("Last sample", channel.sample_ms === null ? "-" : clock(channel.sample_ms)),
  );
}

function cell(label, content) {
  return element("td", { "data-label": label }, content);
}

function stateText(channel) {
  if (!channel.archived) return "stored, not archived here";
  const link = channel.connected ? "connected" : "not connected";
  const state = [channel.state.replace("_", " "), link].join(", ");
  return channel.reason ? `${state}: ${channel.reason}` : state;
}

export function valueText(channel) {
  if (channel.text) return channel.text;
  return channel.value === null ? "-" : `${numberText(channel.value)} ${channel.units}`.trim();
}

export function numberText(value) {
  return String(Number(value.toPrecision(7)));
}
