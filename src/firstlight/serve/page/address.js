// The page's whole state is in its address, after the #: `#draw?ink=...`. Send it to somebody, and
// they see what you see.

export const address = { view: "", query: new URLSearchParams() };

function parse() {
  const [view, query = ""] = location.hash.slice(1).split("?");
  address.view = view;
  address.query = new URLSearchParams(query);
}

function write() {
  const query = address.query.toString().replaceAll("%2C", ",");
  history.replaceState(null, "", `#${address.view || "draw"}${query && "?" + query}`);
  dispatchEvent(new Event("remembered"));
}

/** Put values into the address; empty ones are taken out. */
export function remember(values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") address.query.delete(name);
    else address.query.set(name, value);
  }
  write();
}

export const recall = (name, otherwise = "") => address.query.get(name) ?? otherwise;

/** Somebody followed a link, or went back. */
export function onAddress(listener) {
  addEventListener("hashchange", () => {
    parse();
    listener();
  });
}

parse();
