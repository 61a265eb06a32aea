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

export const fileBytes = async (path) =>
  new Uint8Array(await read(path, (response) => response.arrayBuffer()));
