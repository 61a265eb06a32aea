// A network in an ONNX file of `firstlight export`, computed in the browser.
//
// It knows the operations that tf2onnx writes for networks of 28×28 digits; each does what
// https://onnx.ai/onnx/operators says. The numbers are computed by network.js.

import {
  add,
  array,
  averagePool,
  batchNorm,
  convolution,
  globalAveragePool,
  matmul,
  maxPool,
  multiply,
  relu,
  sizeOf,
  tanh,
  transpose,
} from "./network.js";
import { fields, integers, text } from "./protobuf.js";

const INPUT = "image"; // pixels (1, height, width, channels); every file of firstlight has these
const OUTPUT = "logits"; // (1, classes)

// Field numbers in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
const MODEL = { graph: 7, metadata: 14 };
const ENTRY = { key: 1, value: 2 };
const GRAPH = { node: 1, name: 2, initializer: 5 };
const NODE = { input: 1, output: 2, name: 3, operation: 4, attribute: 5 };
const ATTRIBUTE = { name: 1, float: 2, integer: 3, text: 4, integers: 8, type: 20 };
const TENSOR = { length: 1, type: 2, name: 8, values: 9 };

const ATTRIBUTE_VALUES = {
  1: (attribute) => attribute(ATTRIBUTE.float)[0],
  2: (attribute) => attribute(ATTRIBUTE.integer)[0],
  3: (attribute) => text(attribute(ATTRIBUTE.text)[0]),
  7: (attribute) => integers(attribute(ATTRIBUTE.integers)),
};
const FLOAT = 1;
const TENSOR_VALUES = {
  [FLOAT]: (buffer) => new Float32Array(buffer),
  6: (buffer) => Array.from(new Int32Array(buffer)),
  7: (buffer) => Array.from(new BigInt64Array(buffer), Number),
};

/**
 * The bytes of a file → { classes, metadata, run }.
 *
 * `metadata` is what the file says about itself: see exports/metadata.py. `run(pixels)` takes an
 * image of 0 to 255 and returns { logits, maps }: `maps` has the output of each layer by its name,
 * as { shape: [maps, height, width], values }; neurons are one map of one row.
 *
 * An Error of one line says that it is not such a file, or which operation is unknown.
 */
export function readModel(bytes) {
  const { graphName, nodes, initializers, metadata } = readFile(bytes);
  for (const node of nodes) refuseUnknown(node);
  const { constants, rest } = computeConstants(nodes, initializers);
  const layers = layerOutputs(rest, graphName);
  const shape = [1, ...metadata.input];

  function run(pixels) {
    if (pixels.length !== sizeOf(shape))
      throw new Error(`${pixels.length} pixels; the network takes ${metadata.input.join("×")}`);
    const values = new Map(constants).set(INPUT, array(shape, pixels));
    for (const node of rest) compute(node, values);
    const maps = layers.map(({ layer, name, isChannelsLast }) => [
      layer,
      asMaps(values.get(name), isChannelsLast),
    ]);
    return { logits: values.get(OUTPUT).values, maps: Object.fromEntries(maps) };
  }

  return { classes: metadata.classes, metadata, run };
}

/** What does not depend on the image is computed once: its values, and the nodes that are left. */
function computeConstants(nodes, initializers) {
  const constants = new Map(initializers);
  const dependent = new Set([INPUT]);
  for (const node of nodes) {
    if (node.inputs.some((name) => dependent.has(name))) dependent.add(node.output);
    else compute(node, constants);
  }
  return { constants, rest: nodes.filter(({ output }) => dependent.has(output)) };
}

// --- The file --------------------------------------------------------------------------------

function readFile(bytes) {
  try {
    const model = fields(bytes);
    const graphs = model(MODEL.graph).map(fields); // protobuf merges the parts of a message
    const all = (number) => graphs.flatMap((graph) => graph(number));
    return {
      graphName: all(GRAPH.name).map(text).join(""),
      nodes: all(GRAPH.node).map(readNode),
      initializers: all(GRAPH.initializer).map(readTensor),
      metadata: readMetadata(model),
    };
  } catch (error) {
    throw new Error(`not an ONNX file of firstlight: ${error.message}`);
  }
}

function readMetadata(model) {
  const entries = model(MODEL.metadata).map(fields);
  const own = entries.find((entry) => text(entry(ENTRY.key)[0]) === "firstlight");
  if (!own) throw new Error("it has no property `firstlight`; `firstlight export` writes one");
  return JSON.parse(text(own(ENTRY.value)[0]));
}

function readNode(bytes) {
  const node = fields(bytes);
  return {
    operation: text(node(NODE.operation)[0]),
    name: node(NODE.name).map(text).join(""),
    inputs: node(NODE.input).map(text),
    output: text(node(NODE.output)[0]),
    attributes: Object.fromEntries(node(NODE.attribute).map(readAttribute)),
  };
}

function readAttribute(bytes) {
  const attribute = fields(bytes);
  const value = ATTRIBUTE_VALUES[attribute(ATTRIBUTE.type)[0]];
  return [text(attribute(ATTRIBUTE.name)[0]), value?.(attribute)];
}

/** [name, array] of an initializer; whole numbers are shapes, axes and places. */
function readTensor(bytes) {
  const tensor = fields(bytes);
  const name = text(tensor(TENSOR.name)[0]);
  const shape = integers(tensor(TENSOR.length));
  const raw = tensor(TENSOR.values)[0] ?? new Uint8Array(0);
  const { buffer } = raw.slice(); // a copy begins where numbers of four bytes may begin
  const values = TENSOR_VALUES[tensor(TENSOR.type)[0]]?.(buffer);
  if (values?.length !== sizeOf(shape)) throw new Error(`the values of ${name} cannot be read`);
  return [name, array(shape, values)];
}

// --- Operations ------------------------------------------------------------------------------

const OPERATIONS = {
  Add: ([a, b]) => add(a, b),
  AveragePool: ([maps], attributes) => averagePool(maps, windowOf(attributes)),
  BatchNormalization: ([maps, gamma, beta, mean, variance], { epsilon = 1e-5 }) =>
    batchNorm(maps, { gamma, beta, mean, variance, epsilon }),
  Cast: ([a], { to }) => (to === FLOAT ? array(a.shape, Float32Array.from(a.values)) : a),
  Concat: (lists) => list(lists.flatMap(({ values }) => values)),
  Conv: ([images, kernels, biases], attributes) => {
    const maps = convolution(
      images,
      kernels,
      windowOf({ kernel_shape: kernels.shape.slice(2), ...attributes }),
    );
    return biases ? add(maps, array([biases.values.length, 1, 1], biases.values)) : maps;
  },
  Gather: ([{ values }, indices]) =>
    array(
      indices.shape,
      indices.values.map((i) => values.at(i)),
    ),
  GlobalAveragePool: ([maps]) => globalAveragePool(maps),
  MatMul: ([a, b]) => matmul(a, b),
  MaxPool: ([maps], attributes) => maxPool(maps, windowOf(attributes)),
  Mul: ([a, b]) => multiply(a, b),
  Relu: ([a]) => relu(a),
  Reshape: ([a, shape]) => array(newShape(a, shape.values), a.values),
  Shape: ([{ shape }]) => list(shape),
  Slice: ([{ values }, starts, ends]) => list(values.slice(starts.values[0], ends.values[0])),
  Squeeze: ([a, axes]) => array(squeezed(a.shape, axes?.values), a.values),
  Tanh: ([a]) => tanh(a),
  Transpose: ([a], { perm }) => transpose(a, perm),
};

// Another value of these attributes would be another operation.
const POOL = { auto_pad: "NOTSET", ceil_mode: 0, dilations: [1, 1] };
const ONLY = {
  AveragePool: { ...POOL, count_include_pad: 0 },
  BatchNormalization: { training_mode: 0 },
  Concat: { axis: 0 },
  Conv: { auto_pad: "NOTSET", dilations: [1, 1], group: 1 },
  Gather: { axis: 0 },
  MaxPool: { ...POOL, storage_order: 0 },
  Reshape: { allowzero: 0 },
};

function refuseUnknown({ operation, name, attributes }) {
  if (!Object.hasOwn(OPERATIONS, operation))
    throw new Error(`the operation ${operation} (${name}) is unknown in the browser`);
  for (const [attribute, only] of Object.entries(ONLY[operation] ?? {})) {
    const value = attributes[attribute] ?? only;
    if (String(value) !== String(only))
      throw new Error(
        `${operation} (${name}) with ${attribute} ${value} is unknown in the browser`,
      );
  }
}

function compute({ operation, inputs, output, attributes }, values) {
  const given = inputs.map((name) => values.get(name));
  values.set(output, OPERATIONS[operation](given, attributes));
}

const windowOf = ({ kernel_shape, strides = [1, 1], pads = [0, 0, 0, 0] }) => ({
  size: kernel_shape,
  strides,
  pads,
});

const list = (values) => array([values.length], values);

/** 0 keeps the length of an axis; −1 is what remains. */
function newShape({ shape, values }, lengths) {
  const known = lengths.map((length, axis) => (length === 0 ? shape[axis] : length));
  const rest = values.length / Math.abs(sizeOf(known));
  return known.map((length) => (length === -1 ? rest : length));
}

/** Without axes of length 1: those that are given, or all of them. */
function squeezed(shape, axes) {
  const given = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis));
  return shape.filter((length, axis) => (given ? !given.includes(axis) : length !== 1));
}

// --- Layers ----------------------------------------------------------------------------------

/** The output of each layer, in their order: { layer, name of the value, isChannelsLast }. */
function layerOutputs(nodes, graphName) {
  const last = new Map();
  const channelsLast = new Set([INPUT]);
  for (const node of nodes) {
    if (isChannelsLast(node, channelsLast)) channelsLast.add(node.output);
    const layer = layerName(node, graphName);
    if (layer) last.set(layer, node.output);
  }
  return [...last].map(([layer, name]) => ({
    layer,
    name,
    isChannelsLast: channelsLast.has(name),
  }));
}

/** Whether an output is (1, height, width, maps): Keras has this order, and ONNX the other one. */
function isChannelsLast({ operation, inputs, attributes }, channelsLast) {
  if (operation === "Transpose") return String(attributes.perm) === "0,2,3,1";
  const keepsOrder = ["Add", "Cast", "Mul", "Relu", "Tanh"].includes(operation);
  return keepsOrder && inputs.some((name) => channelsLast.has(name));
}

/** "convnet_1/conv1_norm_1/FusedBatchNormV3:0" → "conv1_norm". An output has its layer's name. */
function layerName({ name, output }, graphName) {
  const path = output === OUTPUT ? name : output;
  const parts = path.split("/").map((part) => part.replace(/_\d+$/, ""));
  if (parts[0] === graphName) parts.shift();
  return parts.length > 1 ? parts[0] : null;
}

function asMaps({ shape, values }, isChannelsLast) {
  const maps = isChannelsLast ? transpose({ shape, values }, [0, 3, 1, 2]) : { shape, values };
  return shape.length === 4
    ? array(maps.shape.slice(1), maps.values)
    : array([1, 1, values.length], values);
}
