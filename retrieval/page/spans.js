// Spans of time. A span is { last } (a duration that ends now), or { from, to } (ms since 1970).

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

export const SPANS = new Map([
  ["10min", { text: "last 10 min", length: 10 * MINUTE }],
  ["1h", { text: "last hour", length: HOUR }],
  ["8h", { text: "last 8 hours", length: 8 * HOUR }],
  ["1d", { text: "last day", length: DAY }],
  ["7d", { text: "last week", length: 7 * DAY }],
  ["30d", { text: "last 30 days", length: 30 * DAY }],
  ["365d", { text: "last year", length: 365 * DAY }],
]);

const SHORTEST = 10, LONGEST = 40 * 365 * DAY;
const LAST_DAY = Date.UTC(2115, 0, 1);

export function endsOf(span) {
  if (!span.last) return { from: span.from, to: span.to };
  const now = Date.now();
  return { from: now - SPANS.get(span.last).length, to: now };
}

export function between(from, to) {
  const length = Math.min(Math.max(to - from, SHORTEST), LONGEST);
  const begin = Math.round(Math.min(Math.max((from + to - length) / 2, 0), LAST_DAY - length));
  return { from: begin, to: Math.round(begin + length) };
}

export function moved(span, step) {
  const { from, to } = endsOf(span);
  const length = to - from;
  const [left, right] = { earlier: [-0.5, -0.5], later: [0.5, 0.5], in: [0.25, -0.25], out: [-0.5, 0.5] }[step];
  return between(from + left * length, to + right * length);
}

export function ageText(milliseconds) {
  const size = Math.max(milliseconds, 0);
  if (size < 10_000) return `${(size / 1000).toFixed(1)} s`;
  if (size < 2 * MINUTE) return `${Math.round(size / 1000)} s`;
  if (size < 2 * HOUR) return `${Math.round(size / MINUTE)} min`;
  if (size < 2 * DAY) return `${Math.round(size / HOUR)} h`;
  return `${Math.round(size / DAY)} d`;
}

export function clock(milliseconds) {
  return new Date(milliseconds).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "");
}
