/** The report's languages: every text stands in one table, in all of them. */
import { Html, html } from "./html.ts";
import { answerTexts } from "./texts/answers.ts";
import { chartTexts } from "./texts/charts.ts";
import { sectionTexts } from "./texts/sections.ts";
import type { MapName } from "./types.ts";

export const languages = ["en", "es"] as const;
export type Language = (typeof languages)[number];

/** A text in every language. `{0}`, `{1}` … are filled in, `{map}` by the name of the map; the text itself may hold markup. */
export type Text = Readonly<Record<Language, string>>;

export const texts = { ...sectionTexts, ...chartTexts, ...answerTexts } satisfies Record<string, Text>;
export type TextKey = keyof typeof texts;

/** Says a text with values in its places; strings among the values are escaped, as in `html`. */
export type Say = {
  (key: TextKey, ...values: readonly (Html | string | number)[]): Html;
  readonly language: Language;
};

export interface Subject {
  /** Default GradCAM. */
  readonly map?: MapName;
  /** What the images show; of objects, a text that names flowers has a twin under its key with `.objects`. Default flowers. */
  readonly subject?: "flowers" | "objects";
}

export function speak(language: Language, { map = "GradCAM", subject = "flowers" }: Subject = {}): Say {
  const say = (key: TextKey, ...values: readonly (Html | string | number)[]): Html =>
    new Html(
      texts[(subject === "objects" && textKey(`${key}.objects`)) || key][language]
        .replaceAll("{map}", map)
        .replace(/\{(\d)\}/g, (_, place: string) => html`${values[Number(place)]}`.text),
    );
  return Object.assign(say, { language });
}

/** For pages that are written in English alone. */
export const english = speak("en");

/** The text under a key that is made at run time, where the table has one; else null. */
export const textKey = (key: string): TextKey | null => (Object.hasOwn(texts, key) ? (key as TextKey) : null);
