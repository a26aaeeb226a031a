// A painted plane as a picture of its own: grey, opaque, of the source's size.

/** The plane as a PNG. Values come back exactly: nothing in it is translucent or profiled. */
export async function toPng(plane) {
  const canvas = new OffscreenCanvas(plane.width, plane.height);
  const image = new ImageData(plane.width, plane.height);
  const { data } = image;
  for (let i = 0; i < plane.values.length; i += 1) {
    data[4 * i] = data[4 * i + 1] = data[4 * i + 2] = plane.values[i];
    data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** The luma of a picture's pixels, as a plane of this size has them; an error for another size. */
export async function fromPicture(blob, { width, height }) {
  const picture = await createImageBitmap(blob).catch(() => {
    throw new Error("this is no picture that the browser can read");
  });
  if (picture.width !== width || picture.height !== height) {
    const size = `${picture.width} × ${picture.height}`;
    throw new Error(`this picture is ${size}, the source ${width} × ${height}: it must have the source's size`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8ClampedArray(width * height);
  for (let i = 0; i < values.length; i += 1) {
    const [red, green, blue] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    values[i] = 0.299 * red + 0.587 * green + 0.114 * blue;
  }
  return values;
}
