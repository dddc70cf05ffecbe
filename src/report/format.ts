/** 0.9312 → "93.1 %"; null and NaN → "–". The space is a no-break one. */
export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  return `${(100 * share).toFixed(digits)}\u00a0%`;
}

/** A number with a fixed count of decimals; null and NaN → "–". */
export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}

/** Small errors: two significant digits, scientific below a thousandth. */
export function small(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(1).split("e");
  if (Number(exponent) >= -3) return String(Number(value.toPrecision(2)));
  return `${mantissa}\u00a0×\u00a010${superscript(Number(exponent))}`;
}

/** 75.4 → "1 min 15 s", 2.345 → "2.3 s", 0.0123 → "12 ms". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${Math.round(1000 * seconds)}\u00a0ms`;
  if (seconds < 60) return `${seconds.toFixed(1)}\u00a0s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}\u00a0min ${whole % 60}\u00a0s`;
}

/** 1234567 → "1 234 567" with narrow no-break spaces, which no reader takes for a decimal sign. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** "weightsSha256" → "Weights sha256", "batch_size" → "Batch size"; a key with spaces stays as it is. */
export function label(key: string): string {
  if (/\s/.test(key)) return key;
  const words = key
    .replace(/[_-]+/g, " ")
    .replace(/([a-z0-9])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** At most `length` characters, the last an ellipsis where something was cut. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}

function superscript(value: number): string {
  return [...String(value)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)] ?? "⁻").join("");
}
