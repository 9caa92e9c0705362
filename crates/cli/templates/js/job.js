// Says what is in a text.

/** The job: a text in, one line of JSON out. */
export const job = {
  run(input) {
    const text = new TextDecoder().decode(input);
    return new TextEncoder().encode(JSON.stringify(summarize(text)) + '\n');
  },
};

export function summarize(text) {
  const words = text.split(/\s+/).filter((word) => word);
  if (words.length === 0) {
    // A job-error of wit/opensky.wit: the job's own failure, compared and paid for like a result.
    throw { tag: 'invalid-input', val: 'there is no word in it' };
  }
  return {
    lines: text.replace(/\n$/, '').split('\n').length,
    words: words.length,
    longest: words.reduce((a, b) => (b.length > a.length ? b : a)),
  };
}
