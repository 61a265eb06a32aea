// Questions to the server this page came from, and to no other.

const given = document.querySelector("meta[name=token]").content;

// A server that others can reach does not put its token into the page: whoever opens it must know.
// It is asked for once; a page that is loaded again asks again.
let asked = false;
function token() {
  if (given) return given;
  let known = sessionStorage.getItem("token");
  if (!known) {
    if (asked) throw new Error("this server wants its token: load the page again to give it");
    asked = true;
    known = prompt("The token of this server?") ?? "";
    sessionStorage.setItem("token", known);
  }
  return known;
}

async function answer(response, sent) {
  const told = await response.json().catch(() => ({ error: "the server's answer is not whole" }));
  if (response.status === 401 && sessionStorage.getItem("token") === sent) sessionStorage.removeItem("token");
  if (!response.ok) throw new Error(told.error);
  return told;
}

const unreachable = () => {
  throw new Error("the server does not answer; is it still running?");
};

export async function get(path) {
  const sent = token(), headers = { "x-firstlight-token": sent };
  return answer(await fetch(`/api/${path}`, { headers }).catch(unreachable), sent);
}

/** Send a picture (a Blob or bytes) or an object. */
export async function post(path, body = {}) {
  const bytes = body instanceof Blob || body instanceof Uint8Array;
  const kind = body instanceof Blob ? body.type : "image/x-portable-graymap";
  const sent = token(), headers = { "x-firstlight-token": sent, "content-type": bytes ? kind : "application/json" };
  const request = { method: "POST", headers, body: bytes ? body : JSON.stringify(body) };
  return answer(await fetch(`/api/${path}`, request).catch(unreachable), sent);
}

/** What it is, asked once; and again if it could not be told. */
export const about = () => (known ??= get("about").catch((problem) => {
  known = undefined;
  throw problem;
}));
let known;
