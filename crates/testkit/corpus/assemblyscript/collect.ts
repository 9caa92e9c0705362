// Makes more garbage than memory, of standard input, and fails if the input is no text.

const input = new Uint8Array(8192);
const got = process.stdin.read(input.buffer);

class Node {
  constructor(public key: string, public left: Node | null, public right: Node | null) {}
}

function insert(node: Node | null, key: string): Node {
  if (node === null) return new Node(key, null, null);
  if (key < node.key) return new Node(node.key, insert(node.left, key), node.right);
  if (key > node.key) return new Node(node.key, node.left, insert(node.right, key));
  return node;
}

function list(node: Node | null, into: string[]): void {
  if (node === null) return;
  list(node.left, into);
  into.push(node.key);
  list(node.right, into);
}

const words = String.UTF8.decodeUnsafe(input.dataStart, got).split(" ");
let tree: Node | null = null;
for (let i = 0; i < words.length; i++) tree = insert(tree, words[i].trim());
const sorted: string[] = [];
list(tree, sorted);
console.log(sorted.slice(0, 30).join("|"));

const blocks = new Array<Float64Array>();
let sum: f64 = 0;
for (let i = 0; i < 100; i++) {
  const block = new Float64Array(2000);
  block[i] = f64(i) / 7.0;
  if (i % 10 == 0) blocks.push(block);
  sum += block[i] * <f64>reinterpret<f32>(0x3f800000 + i);
}
console.log(sum.toString() + " " + blocks.length.toString());

const lanes = f64x2.mul(f64x2.splat(sum), f64x2.splat(-0.5));
console.log(f64x2.extract_lane(lanes, 1).toString());
if (input[0] == 0) throw new Error("this is no text");
process.exit(sorted.length);
