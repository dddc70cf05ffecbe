/** Elements by hand: the page needs no framework for five views. */

type Child = Node | string | null;

interface Properties {
  readonly class?: string;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly on?: Readonly<Record<string, (event: Event) => void>>;
}

/** An element with properties and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (properties.class) made.className = properties.class;
  if (properties.text !== undefined) made.textContent = properties.text;
  for (const [key, value] of Object.entries(properties.attributes ?? {})) made.setAttribute(key, value);
  for (const [event, listener] of Object.entries(properties.on ?? {})) made.addEventListener(event, listener);
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const button = (text: string, onClick: () => void, className = ""): HTMLButtonElement =>
  element("button", { text, class: className, attributes: { type: "button" }, on: { click: onClick } });

/** A labelled choice; `onChange` gets the value. */
export function choice(
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string,
  onChange: (value: string) => void,
): HTMLLabelElement {
  const select = element("select", { on: { change: () => onChange(select.value) } });
  for (const [value, text] of options) select.append(new Option(text, value, false, value === chosen));
  return element("label", { class: "field" }, element("span", { text: label }), select);
}

/** A labelled slider that says its value. */
export function slider(
  label: string,
  range: { readonly min: number; readonly max: number; readonly step: number; readonly value: number },
  onInput: (value: number) => void,
): HTMLLabelElement {
  const output = element("output", { text: String(range.value) });
  const attributes = Object.fromEntries(Object.entries(range).map(([key, value]) => [key, String(value)]));
  const input = element("input", {
    attributes: { type: "range", ...attributes },
    on: {
      input: () => {
        output.textContent = input.value;
        onInput(Number(input.value));
      },
    },
  });
  return element("label", { class: "field" }, element("span", { text: `${label}: ` }, output), input);
}

/** A button that opens the file dialogue for pictures. */
export function pictureInput(text: string, multiple: boolean, onFiles: (files: File[]) => void): HTMLLabelElement {
  const attributes: Record<string, string> = { type: "file", accept: "image/*" };
  if (multiple) attributes.multiple = "";
  const input = element("input", {
    attributes,
    on: {
      change: () => {
        onFiles([...(input.files ?? [])]);
        input.value = "";
      },
    },
  });
  return element("label", { class: "file" }, text, input);
}

/** Terms and what they are. */
export function facts(pairs: readonly (readonly [term: string, value: string])[]): HTMLDListElement {
  const list = element("dl");
  for (const [term, value] of pairs) list.append(element("dt", { text: term }), element("dd", { text: value }));
  return list;
}

/** Lets the browser draw and react before what comes next. */
export const nextFrame = (): Promise<void> =>
  new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

/** Saves bytes as a file of the visitor's. */
export function download(name: string, blob: Blob): void {
  const address = URL.createObjectURL(blob);
  element("a", { attributes: { href: address, download: name } }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
