import { words } from "../../../language";
import en from "./en.json";
import es from "./es.json";
import fil from "./fil.json";

/** Words of the page of libraries. */
export const say = words(en, fil, es);

/** Why a call failed, in the reader's language where the page knows the reason. */
export function why(reason: string, message: string): string {
  const key = `why.${reason}`;
  return key in en ? say(key as keyof typeof en) : message;
}
