// The ten most frequent words of a text.

export const job = {
  run(input) {
    const counts = new Map();
    for (const word of latin1(input).toLowerCase().match(/[a-z]+/g) ?? []) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const ranked = [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
    const lines = ranked.slice(0, 10).map(([word, count]) => `${count} ${word}\n`);
    return new TextEncoder().encode(lines.join(''));
  },
};

// One character for each byte: only ASCII letters count, whatever the text's encoding.
function latin1(bytes) {
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return text;
}
