// Asking the server, and making elements. Texts become text nodes: a channel may be called anything.

export async function ask(path, parameters, signal) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { signal });
  const body = await answer.json().catch(() => ({ error: `${answer.status} ${answer.statusText}` }));
  if (!answer.ok) throw new Error(body.error);
  return body;
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function csvAddress(channel, from, to) {
  return `retrieval/data/getData.csv?${new URLSearchParams({ pv: channel, from: iso(from), to: iso(to), safe: "true" })}`;
}

export function iso(milliseconds) {
  return new Date(milliseconds).toISOString();
}
