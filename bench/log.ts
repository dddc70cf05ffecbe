/** Progress on stderr, with the seconds since the start. */
export const log = (line: string): void => {
  process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
};
