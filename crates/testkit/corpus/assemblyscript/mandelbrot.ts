// Draws a part of Mandelbrot's set that standard input chooses, and says how many steps each row took.

const input = new Uint8Array(64);
const got = process.stdin.read(input.buffer);

const width = 48;
const height = 24;

class Row {
  text: string = "";
  steps: i32 = 0;
}

function draw(y: i32, left: f64, top: f64, scale: f64): Row {
  const row = new Row();
  for (let x = 0; x < width; x++) {
    const cr = left + scale * f64(x) / f64(width);
    const ci = top + scale * f64(y) / f64(height);
    let zr = 0.0, zi = 0.0;
    let n = 0;
    while (n < 60 && zr * zr + zi * zi < 4.0) {
      const next = zr * zr - zi * zi + cr;
      zi = 2.0 * zr * zi + ci;
      zr = next;
      n++;
    }
    row.steps += n;
    row.text += String.fromCharCode(32 + n);
  }
  return row;
}

const scale = 0.5 + f64(input[1]) / 100.0;
const rows = new Map<i32, Row>();
for (let y = 0; y < height; y++) rows.set(y, draw(y, -2.0 + f64(input[0]) / 200.0, -1.2, scale));
const keys = rows.keys().sort((a, b) => rows.get(b).steps - rows.get(a).steps);
for (let i = 0; i < keys.length; i++) {
  const row = rows.get(keys[i]);
  console.log(row.text + " " + row.steps.toString());
}
console.log(got.toString() + " " + scale.toString() + " " + Math.sin(scale).toString());
