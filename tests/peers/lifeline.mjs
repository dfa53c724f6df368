// What each peer's process does beside its work: it says once where it is, and ends when its starter is gone.

/** Prints one line of JSON: the peer is ready. */
export function ready(facts) {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

/** The options, which are the one argument. Their giver holds our standard input: we end as soon as it closes. */
export function options() {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("error", () => process.exit(0));
  process.stdin.resume();
  // Standard output has one line; what a library has to say to developers is not for it.
  console.log = console.info = console.warn = () => {};
  return JSON.parse(process.argv[2] ?? "{}");
}
