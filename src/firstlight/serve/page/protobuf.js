// Reads protobuf, the encoding of ONNX files: https://protobuf.dev/programming-guides/encoding

const VARINT = 0; // the wire types
const BYTES = 2;
const FLOAT = 5;

/**
 * The fields of a message: number → its values in their order, [] if there is none.
 *
 * A value is a number, or the bytes of a text, of a message or of packed numbers. Fields that come
 * again are added to the first ones, as protobuf merges the parts of a message.
 */
export function fields(bytes) {
  const found = new Map();
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const key = reader.varint();
    const number = Math.floor(key / 8);
    if (!found.has(number)) found.set(number, []);
    found.get(number).push(reader.value(key % 8));
  }
  return (number) => found.get(number) ?? [];
}

export const text = (bytes) => new TextDecoder().decode(bytes);

/** Whole numbers, which may be packed: several of them in the bytes of one value. */
export const integers = (values) =>
  values.flatMap((value) => (typeof value === "number" ? [value] : unpacked(value)));

function unpacked(bytes) {
  const numbers = [];
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) numbers.push(reader.varint());
  return numbers;
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
  }

  get isAtEnd() {
    return this.position === this.bytes.length;
  }

  value(wireType) {
    if (wireType === VARINT) return this.varint();
    if (wireType === BYTES) return this.take(this.varint());
    if (wireType === FLOAT) {
      const { buffer, byteOffset } = this.take(4);
      return new DataView(buffer, byteOffset).getFloat32(0, true);
    }
    throw new Error("this is no protobuf that can be read");
  }

  /** A whole number of up to 64 bits, seven bits in a byte, the lowest first; it has a sign. */
  varint() {
    let number = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const [byte] = this.take(1);
      number |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, number));
    }
  }

  take(length) {
    const start = this.position;
    this.position += length;
    if (length < 0 || this.position > this.bytes.length) throw new Error("the file is cut off");
    return this.bytes.subarray(start, this.position);
  }
}
