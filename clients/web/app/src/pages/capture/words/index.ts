import { words } from "../../../language";
import en from "./en.json";
import es from "./es.json";
import fil from "./fil.json";

/** Words of the capture page. */
export const say = words(en, fil, es);

/** Words for a code of the server, or the code where a newer server has one that is not known here. */
export function word(group: string, code: string | number): string {
  const key = `${group}.${code}`;
  return key in en ? say(key as keyof typeof en) : String(code).replaceAll("_", " ");
}

/** Whether there are words for a code. */
export function hasWord(group: string, code: string): boolean {
  return `${group}.${code}` in en;
}
