// The page's whole state is in its address, after the #: `#draw?ink=...`. Everybody who opens the
// same address sees the same page.

export const address = { view: "", query: new URLSearchParams() };

function parse() {
  const [view, query = ""] = location.hash.slice(1).split("?");
  address.view = view;
  address.query = new URLSearchParams(query);
}

function write() {
  const query = address.query.toString().replaceAll("%2C", ",");
  const suffix = query ? `?${query}` : "";
  history.replaceState(null, "", `#${address.view || "draw"}${suffix}`);
  dispatchEvent(new Event("address-written"));
}

/** Put values into the address; empty ones are removed from it. */
export function remember(values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") address.query.delete(name);
    else address.query.set(name, value);
  }
  write();
}

export const recall = (name, fallback = "") => address.query.get(name) ?? fallback;

/** Calls `listener` when the user follows a link or goes back. */
export function onAddress(listener) {
  addEventListener("hashchange", () => {
    parse();
    listener();
  });
}

parse();
