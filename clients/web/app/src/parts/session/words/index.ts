import { words } from "../../../language";
import en from "./en.json";
import es from "./es.json";
import fil from "./fil.json";

/** Words about capture sessions, on whatever page. */
export const saySession = words(en, fil, es);

/** Words for a code of the server, or the code where a newer server has one that is not known here. */
export function sessionWord(group: string, code: string | number): string {
  const key = `${group}.${code}`;
  return key in en ? saySession(key as keyof typeof en) : String(code).replaceAll("_", " ");
}
