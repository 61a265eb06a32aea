// Requests to the server that this page came from, and to no other.

import { NO_ANSWER } from "./dom.js";
import { forget, isShared, keep, token } from "./token.js";

const INCOMPLETE = "the server's answer is incomplete";

async function answerTo(address, options) {
  return fetch(address, options).catch(() => {
    throw new Error(NO_ANSWER);
  });
}

/** Throws the server's own message if it has refused the request. */
async function accepted(response) {
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({ error: INCOMPLETE }));
  throw new Error(answer.error);
}

/** Send a request with the token. A visitor whose token is wrong is asked for it again. */
async function request(path, options = {}) {
  const sent = await token();
  const headers = { ...options.headers, "x-firstlight-token": sent };
  const response = await answerTo(`/api/${path}`, { ...options, headers });
  if (response.status === 401 && forget(sent)) return request(path, options);
  if (response.ok) keep(sent);
  return accepted(response);
}

/** The content of a response, read by `read`. */
function content(response, read) {
  return read(response).catch(() => {
    throw new Error(INCOMPLETE);
  });
}

const json = (response) => content(response, (complete) => complete.json());

export const get = async (path) => json(await request(path));

/** Send a picture (a Blob, or the bytes of a PGM file) or an object as JSON. */
export async function post(path, content = {}) {
  if (content instanceof Blob) return send(path, content, { "content-type": content.type });
  if (content instanceof Uint8Array) return sendDrawing(path, content);
  return send(path, JSON.stringify(content), { "content-type": "application/json" });
}

/**
 * A class that draws would fill a wireless network with white paper, so it is compressed. On the
 * server's own machine that would only take time.
 */
async function sendDrawing(path, bytes) {
  const headers = { "content-type": "image/x-portable-graymap" };
  if (!isShared || !globalThis.CompressionStream) return send(path, bytes, headers);
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const body = await new Response(stream).arrayBuffer();
  return send(path, body, { ...headers, "content-encoding": "gzip" });
}

const send = async (path, body, headers) =>
  json(await request(path, { method: "POST", headers, body }));

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
