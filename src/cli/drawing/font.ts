/**
 * A 5 × 7 letter set for labels in pictures. Each letter is five columns from the left, each two hexadecimal digits whose
 * lowest bit is the top row, or three where a letter reaches two rows below the line. Capitals are drawn as small letters;
 * letters that are missing stay blank.
 */
const columns: Readonly<Record<string, string>> = {
  " ": "0000000000",
  "0": "3e4141413e",
  "1": "0042417f40",
  "2": "6251494946",
  "3": "2241494936",
  "4": "1c12117f10",
  "5": "4f49494931",
  "6": "3e49494932",
  "7": "0171090503",
  "8": "3649494936",
  "9": "264949493e",
  "%": "6313086463",
  "+": "08083e0808",
  "-": "0808080808",
  ".": "0060600000",
  ",": "0080600000",
  ":": "0036360000",
  "/": "6010080403",
  "=": "1414141414",
  "°": "0205050200",
  "(": "001c224100",
  ")": "0041221c00",
  _: "4040404040",
  a: "2054545478",
  b: "7f44444438",
  c: "3844444428",
  d: "384444447f",
  e: "3854545458",
  f: "08087e0909",
  g: "0381441441440fc",
  h: "7f04040478",
  i: "00447d4000",
  j: "0000801040fd000",
  k: "7f10102844",
  l: "00417f4000",
  m: "7c04780478",
  n: "7c04040478",
  o: "3844444438",
  p: "1fc044044044038",
  q: "0380440440441fc",
  r: "7c08040408",
  s: "4854545424",
  t: "043f444420",
  u: "3c4040407c",
  v: "1c2040201c",
  w: "3c4038403c",
  x: "4428102844",
  y: "03c1401401400fc",
  z: "4464544c44",
  σ: "3844443c04",
  "×": "2214081422",
  "±": "44445f4444",
};

export const letterWidth = 6;
export const letterHeight = 7;

/** Calls `paint` for each dark dot of a line of text, in dots from its upper left corner. */
export function eachDot(text: string, paint: (x: number, y: number) => void): void {
  [...text.toLowerCase()].forEach((letter, index) => {
    const drawn = columns[letter] ?? columns[" "];
    const digits = drawn.length / 5;
    for (let column = 0; column < 5; column++) {
      const bits = Number.parseInt(drawn.slice(digits * column, digits * (column + 1)), 16);
      for (let row = 0; row < letterHeight + 2; row++) if ((bits >> row) & 1) paint(letterWidth * index + column, row);
    }
  });
}
