// Files that lie beside the page: pictures, images of MNIST, a network. They need no token, and a
// static site has them at the same addresses.

async function read(path, content) {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) throw new Error(`${path} cannot be loaded: reload the page to try again`);
  return content(response).catch(() => {
    throw new Error(`${path} has arrived incomplete: reload the page to try again`);
  });
}

export const fileText = (path) => read(path, (response) => response.text());

/** The bytes of a file; one whose name ends in `.gz` is unpacked. */
export const fileBytes = (path) =>
  read(path, async (response) => {
    const bytes = new Uint8Array(await response.arrayBuffer());
    return path.endsWith(".gz") && isPacked(bytes) ? unpacked(bytes) : bytes;
  });

/** Some hosts declare such a file as compressed; the browser has unpacked it then. */
const isPacked = ([first, second]) => first === 0x1f && second === 0x8b;

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
