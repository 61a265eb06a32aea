// Questions to the server this page came from, and to no other.

const given = document.querySelector("meta[name=token]").content;

// A server that others can reach does not put its token into the page: whoever opens it must know.
function token() {
  if (given) return given;
  const known = sessionStorage.getItem("token") ?? prompt("The token of this server?") ?? "";
  sessionStorage.setItem("token", known);
  return known;
}

async function answer(response) {
  const told = await response.json().catch(() => ({ error: "the server's answer is not whole" }));
  if (response.status === 401 && !given) sessionStorage.removeItem("token");
  if (!response.ok) throw new Error(told.error);
  return told;
}

const unreachable = () => {
  throw new Error("the server does not answer; is it still running?");
};

export async function get(path) {
  const headers = given ? {} : { "x-firstlight-token": token() };
  return answer(await fetch(`/api/${path}`, { headers }).catch(unreachable));
}

/** Send a picture (a Blob or bytes) or an object. */
export async function post(path, body = {}) {
  const bytes = body instanceof Blob || body instanceof Uint8Array;
  const kind = body instanceof Blob ? body.type : "image/x-portable-graymap";
  const headers = { "x-firstlight-token": token(), "content-type": bytes ? kind : "application/json" };
  const request = { method: "POST", headers, body: bytes ? body : JSON.stringify(body) };
  return answer(await fetch(`/api/${path}`, request).catch(unreachable));
}

export const about = () => (known ??= get("about"));
let known;
