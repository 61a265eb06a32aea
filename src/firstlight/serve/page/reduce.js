// A photograph of a telephone is reduced before it is sent: in a classroom, many share the Wi-Fi.

const MAX_PIXELS = 3_200_000; // twice what the reader works on: see WORKING_PIXELS in images/open.py
const QUALITY = 0.92; // of the JPEG

/** A large JPEG file as a smaller one, upright; any other file as it is, also a damaged one. */
export function reduced(file) {
  return file.type === "image/jpeg" ? reducedJpeg(file).catch(() => file) : file;
}

async function reducedJpeg(file) {
  const whole = await createImageBitmap(file, { imageOrientation: "from-image" });
  const { width, height } = whole;
  const scale = Math.sqrt(MAX_PIXELS / (width * height));
  const smaller = scale < 1 ? await jpeg(whole, width * scale, height * scale) : file;
  whole.close();
  return smaller;
}

function jpeg(bitmap, width, height) {
  const canvas = new OffscreenCanvas(Math.round(width), Math.round(height));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
}
