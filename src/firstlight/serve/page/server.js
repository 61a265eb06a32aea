// Requests to the server that this page came from, and to no other.

const pageToken = document.querySelector("meta[name=token]").content;

// A server that others can reach does not put its token into the page: its visitors must know it.
// They are asked once; after a wrong answer they can reload the page and are asked again.
let wasAsked = false;
function token() {
  if (pageToken) return pageToken;
  let entered = sessionStorage.getItem("token");
  if (!entered) {
    if (wasAsked) throw new Error("this server needs a token: reload the page to enter it");
    wasAsked = true;
    entered = prompt("Token of this server:") ?? "";
    sessionStorage.setItem("token", entered);
  }
  return entered;
}

const INCOMPLETE = "the server's answer is incomplete";

/** Throws the server's own message if it refuses the request. */
async function request(address, sentToken, options) {
  const response = await fetch(address, options).catch(() => {
    throw new Error("the server does not answer; is it still running?");
  });
  if (response.ok) return response;
  if (response.status === 401 && sessionStorage.getItem("token") === sentToken)
    sessionStorage.removeItem("token");
  const answer = await response.json().catch(() => ({ error: INCOMPLETE }));
  throw new Error(answer.error);
}

/** The content of a response, read by `read`. */
function content(response, read) {
  return read(response).catch(() => {
    throw new Error(INCOMPLETE);
  });
}

const json = (response) => content(response, (complete) => complete.json());

async function requestByGet(path) {
  const sentToken = token();
  return request(`/api/${path}`, sentToken, { headers: { "x-firstlight-token": sentToken } });
}

export const get = async (path) => json(await requestByGet(path));

/** Send a picture (a Blob, or the bytes of a PGM file) or an object as JSON. */
export async function post(path, content = {}) {
  const sentToken = token();
  let body = content;
  let type = "image/x-portable-graymap";
  if (content instanceof Blob) type = content.type;
  else if (!(content instanceof Uint8Array)) {
    type = "application/json";
    body = JSON.stringify(content);
  }
  const headers = { "x-firstlight-token": sentToken, "content-type": type };
  return json(await request(`/api/${path}`, sentToken, { method: "POST", headers, body }));
}

export const runPath = (name) => `runs/${encodeURIComponent(name)}`;

/** What the server says about itself. The page asks once, and again only if that failed. */
let aboutAnswer;
export function about() {
  aboutAnswer ??= get("about").catch((error) => {
    aboutAnswer = undefined;
    throw error;
  });
  return aboutAnswer;
}
